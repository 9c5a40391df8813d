"""Key files and recovery keys that cannot be used: ``local-fernet`` and ``recovery``."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.support.terminal import faults
from tests.unit.app.cli.refusals.conftest import ESCROW, FIRST, Listing, badly_kept, write

GARBAGE = "correct-horse-battery-staple"
KEPT = ["missing", "unreadable", "a directory", "readable by others"]


@pytest.mark.parametrize("how", KEPT)
def test_an_unsafe_key_file_is_refused(listing: Listing, tmp_path: Path, how: str) -> None:
    path, words = badly_kept(tmp_path, Fernet.generate_key().decode())[how]
    uri = f"local-fernet:{path}"
    assert listing.first(uri) == [FIRST + words]
    assert listing.escrow(uri) == [ESCROW + words]


@pytest.mark.parametrize(
    "text",
    ["", GARBAGE, f"{Fernet.generate_key().decode()}\n{GARBAGE}\n"],
    ids=["nothing", "no key", "a key and no key"],
)
def test_a_malformed_key_file_is_refused(listing: Listing, tmp_path: Path, text: str) -> None:
    uri = f"local-fernet:{write(tmp_path / 'keys', text)}"
    assert listing.first(uri) == [FIRST + "the key file must hold one Fernet key a line."]


def test_a_key_that_never_wrapped_anything_here(listing: Listing, tmp_path: Path) -> None:
    uri = f"local-fernet:{write(tmp_path / 'keys', Fernet.generate_key().decode())}"
    unopened, unreadable = listing.alone(uri)
    assert unopened.startswith("STRONGROOM_KEYS: the system data key does not open: ")
    assert unreadable == "STRONGROOM_KEYS: no listed provider could open 1 data keys."


@pytest.mark.parametrize("how", ["missing", "unreadable", "a directory"])
def test_an_unsafe_recovery_key_is_refused(listing: Listing, tmp_path: Path, how: str) -> None:
    path, words = badly_kept(tmp_path, GARBAGE)[how]
    assert listing.escrow(f"recovery:{path}") == [ESCROW + words]


@pytest.fixture
def halves(listing: Listing, tmp_path: Path) -> tuple[Path, Path]:
    """The private and the public half of a recovery key."""
    private, public = tmp_path / "private", tmp_path / "public"
    made = ("--private", str(private), "--public", str(public))
    listing.terminal.answer("keyring", "make-recovery-key", *made)
    return private, public


def test_the_private_half_where_the_public_one_belongs(
    listing: Listing, halves: tuple[Path, Path]
) -> None:
    private, public = halves
    assert listing.passes(STRONGROOM_ESCROW_KEYS=f"recovery:{public}")
    words = "the file must hold a recovery public key."
    assert listing.escrow(f"recovery:{private}") == [ESCROW + words]


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_recovery_key_that_others_may_write(
    listing: Listing, halves: tuple[Path, Path], mode: int
) -> None:
    halves[1].chmod(mode)
    (told,) = listing.escrow(f"recovery:{halves[1]}")
    assert told.startswith(f"{ESCROW}the file must not be writable by its group or others")


def test_a_file_of_a_setting_that_others_may_write(listing: Listing, tmp_path: Path) -> None:
    file = write(tmp_path / "keys", listing.key_file, mode=0o666)
    (told,) = faults(listing.terminal, STRONGROOM_KEYS_FILE=str(file))
    assert told.startswith("STRONGROOM_KEYS_FILE: the file must not be writable by its group")


def test_a_malformed_recovery_key_is_refused(listing: Listing, tmp_path: Path) -> None:
    uri = f"recovery:{write(tmp_path / 'public', GARBAGE)}"
    assert listing.escrow(uri) == [ESCROW + "the file must hold a recovery public key."]


def test_a_recovery_key_among_those_that_unwrap(
    listing: Listing, halves: tuple[Path, Path]
) -> None:
    told = listing.first(f"recovery:{halves[1]}")
    assert told == [FIRST + "recovery cannot unwrap; list it in STRONGROOM_ESCROW_KEYS."]
