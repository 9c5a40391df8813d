"""The root key is cut off under a running server: soon nothing is granted, the rest goes on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.e2e.keys.roots import KmsRoot, TransitRoot
from tests.support.faulty_proxy import FaultyProxy, answer
from tests.support.kms import KmsServer
from tests.support.openbao import OpenBao
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SHORT_LIFE = {"STRONGROOM_DATA_KEY_CACHE_SECONDS": "4", "STRONGROOM_WORKERS": "1"}
DEFAULT_LIFE = {"STRONGROOM_WORKERS": "1"}


@dataclass
class Served:
    """A server whose worker has the account's data key in its cache."""

    server: Strongroom
    account: Account

    def mints(self) -> bool:
        return self.account.call("POST", "/v1/apikeys", {"name": "new"}).status_code == 200

    def injects(self) -> bool:
        body = {"secrets": {"KEPT": "KEPT"}}
        return self.account.call("POST", "/v1/injections", body).status_code == 200

    def updates(self) -> bool:
        """Return True if its data key can be used."""
        return self.account.call("POST", "/v1/secrets/KEPT", {"value": "a value"}).ok


@contextmanager
def served(directory: Path, settings: dict[str, str]) -> Iterator[Served]:
    with (
        running(directory, settings) as server,
        closing(build(load(server.environment))) as operator,
        Account.new(server.url, operator) as account,
    ):
        account.create("KEPT")
        account.values("KEPT")
        yield Served(server, account)


def assert_cut_off(served: Served, token: str) -> None:
    """Within the proof's life nothing is granted any more, and what grants nothing goes on."""
    wait_until(lambda: not served.mints() and not served.injects(), seconds=60)
    wait_until(lambda: not served.updates())
    assert redeem(served.server.url, token).status_code == 503
    assert served.account.names() == ["KEPT"]
    assert served.account.call("GET", "/v1/injections").ok
    assert served.account.call("POST", "/v1/secrets/KEPT/delete").ok


def test_removing_the_key_file_ends_what_a_server_grants(tmp_path: Path) -> None:
    with served(tmp_path, DEFAULT_LIFE) as server:
        token = inject(server.account, "KEPT")["token"]
        (server.server.home / "keys").unlink()
        assert_cut_off(server, token)


def test_a_key_file_that_is_put_back_lets_a_server_grant_again(tmp_path: Path) -> None:
    with served(tmp_path, SHORT_LIFE) as server:
        keys = server.server.home / "keys"
        keys.rename(keys.with_name("away"))
        wait_until(lambda: not server.mints())
        keys.with_name("away").rename(keys)
        wait_until(server.mints)
        assert server.account.values("KEPT") == {"KEPT": "a value"}


def test_disabling_the_kms_key_ends_what_a_server_grants(
    kms: KmsServer, kms_proxy: FaultyProxy, aws: dict[str, str], until: ExitStack, tmp_path: Path
) -> None:
    root = KmsRoot(kms, kms_proxy, until)
    with served(tmp_path, SHORT_LIFE | aws | {"STRONGROOM_KEYS": root.uri}) as server:
        token = inject(server.account, "KEPT")["token"]
        with kms_proxy.failing(answer(400, {"__type": "DisabledException"})):
            assert_cut_off(server, token)


def test_granting_ends_when_kms_is_unreachable_for_longer_than_the_proof(
    kms: KmsServer, kms_proxy: FaultyProxy, aws: dict[str, str], until: ExitStack, tmp_path: Path
) -> None:
    root = KmsRoot(kms, kms_proxy, until)
    with served(tmp_path, SHORT_LIFE | aws | {"STRONGROOM_KEYS": root.uri}) as server:
        token = inject(server.account, "KEPT")["token"]
        with kms_proxy.refusing():
            assert server.mints()
            assert_cut_off(server, token)
        wait_until(server.mints)


def close_old_version(vault: OpenBao, root: TransitRoot) -> None:
    vault.api("POST", f"transit/keys/{root.name}/rotate")
    vault.api("POST", f"transit/keys/{root.name}/config", {"min_decryption_version": 2})


CUTS: dict[str, Callable[[OpenBao, TransitRoot], object]] = {
    "token revoked": lambda vault, root: vault.api(
        "POST", "auth/token/revoke", {"token": root.token_file.read_text()}
    ),
    "policy taken away": lambda vault, root: vault.forbid(root.name),
    "version closed": close_old_version,
}


@pytest.mark.parametrize("cut", CUTS)
def test_cutting_vault_off_ends_what_a_server_grants(
    openbao: OpenBao, tmp_path: Path, cut: str
) -> None:
    root = TransitRoot(openbao, openbao.host, tmp_path)
    with served(tmp_path, SHORT_LIFE | {"STRONGROOM_KEYS": root.uri}) as server:
        token = inject(server.account, "KEPT")["token"]
        CUTS[cut](openbao, root)
        assert_cut_off(server, token)
