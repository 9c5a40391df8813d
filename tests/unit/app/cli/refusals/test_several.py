"""Several faults in one keyring are told in one run, and so by the command that starts a server."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.openbao import OpenBao, least_privilege
from tests.support.strongroom import Strongroom
from tests.support.terminal import faults
from tests.unit.app.cli.refusals.conftest import ESCROW, FIRST, Listing, write

DENIED = "Vault denies this call: the token is not valid, or its policy does not allow it."
TOLD = [
    FIRST + "the file cannot be read.",
    f"STRONGROOM_KEYS (entry 2): {DENIED}",
    ESCROW + "the file must hold a recovery public key.",
]


@dataclass(frozen=True)
class Wrong:
    """A keyring of which only the last entry of ``STRONGROOM_KEYS`` is good.

    Attributes:
        settings: The two settings.
        token: The token in one of the files.
    """

    settings: Mapping[str, str]
    token: str


@pytest.fixture
def wrong(listing: Listing, openbao: OpenBao, tmp_path: Path) -> Wrong:
    """A key file that is not there, a token that may not make keys, garbage as recovery key."""
    key = openbao.make_key()
    allowed = least_privilege("transit", key)
    del allowed[f"transit/datakey/plaintext/{key}"]
    openbao.allow(key, allowed)
    token = openbao.token(key)
    token_file = write(tmp_path / "token", token)
    vault = f"vault-transit:{openbao.address}/transit/{key}?token_file={token_file}"
    garbage = write(tmp_path / "garbage", "correct-horse-battery-staple")
    settings = {
        "STRONGROOM_KEYS": f"local-fernet:{tmp_path / 'none'} {vault} {listing.key_file}",
        "STRONGROOM_ESCROW_KEYS": f"recovery:{garbage}",
    }
    return Wrong(settings, token)


def test_every_wrong_entry_is_reported_at_once(listing: Listing, wrong: Wrong) -> None:
    assert faults(listing.terminal, **wrong.settings) == TOLD


@pytest.mark.on_disk
def test_the_command_that_starts_a_server_ends_with_all_faults_and_no_value(
    listing: Listing, wrong: Wrong, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(listing.terminal.home, tmp_path / "home"))
    environment = {**listing.terminal.environ, "STRONGROOM_HOME": str(home)}
    server = Strongroom(home, environment, tmp_path / "log")
    refused = server.command("check", check=False, **wrong.settings)
    assert refused.returncode == 1
    lines = refused.stderr.splitlines()
    told = [each for each in lines if not each.startswith("strongroom: warning: ")]
    assert told == [f"strongroom: {fault}" for fault in TOLD]
    assert wrong.token not in refused.stdout + refused.stderr


def test_a_consequence_of_a_fault_is_no_second_fault(listing: Listing, tmp_path: Path) -> None:
    assert listing.alone(f"local-fernet:{tmp_path / 'none'}") == [TOLD[0]]
