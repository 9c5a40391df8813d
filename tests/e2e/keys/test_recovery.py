"""``strongroom keyring recover`` brings a server back whose root key is gone for good."""

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.keys.roots import LocalRoot, Root, TransitRoot, list_keys
from tests.e2e.keys.tenants import (
    Tenant,
    astray,
    expected_values,
    opened_values,
    seed_in_bulk,
    speaker,
)
from tests.support.openbao import OpenBao
from tests.support.strongroom import prepared
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow


def test_a_server_whose_root_key_was_destroyed_hands_over_every_value_after_recover(
    openbao: OpenBao, terminal: Terminal, until: ExitStack, tmp_path: Path
) -> None:
    root, private = TransitRoot(openbao, openbao.host, tmp_path), tmp_path / "private.json"
    list_keys(tmp_path, root.uri)
    server = prepared(tmp_path, terminal.environ | {"STRONGROOM_WORKERS": "1"})
    until.callback(server.kill)
    escrow(terminal, root, private)
    tenants = seed_in_bulk(terminal.environ, 4, 0)
    server.start()
    for tenant in tenants:
        store(server.url, tenant)
    server.kill()
    root.destroy()
    list_keys(tmp_path, LocalRoot(tmp_path / "new").uri)
    terminal.answer("keyring", "recover", "--private", str(private))
    server.start()
    assert astray(server.url, tenants) == []


@pytest.mark.parametrize("rotations", [0, 1])
def test_recover_works_with_a_new_vault_under_the_old_name(
    openbao: OpenBao, terminal: Terminal, tmp_path: Path, rotations: int
) -> None:
    """Of the versions that the lost one had and the new one will get, nothing is left either."""
    root, private = TransitRoot(openbao, openbao.host, tmp_path), tmp_path / "private.json"
    for _ in range(rotations):
        openbao.api("POST", f"transit/keys/{root.name}/rotate")
    list_keys(tmp_path, root.uri)
    terminal.answer("init")
    escrow(terminal, root, private)
    tenants = seed_in_bulk(terminal.environ, 4, 2)
    root.destroy()
    openbao.make_key(name=root.name)
    list_keys(tmp_path, root.uri)
    assert terminal.json("keyring", "recover", "--private", str(private))["failed"] == 0
    openbao.api("POST", f"transit/keys/{root.name}/rotate")
    assert terminal.json("keyring", "rewrap")["changed"] == 5
    with closing(build(load(terminal.environ))) as services:
        assert opened_values(services, tenants) == expected_values(tenants)


def escrow(terminal: Terminal, root: Root, private: Path) -> None:
    """Let every data key from now on, and the system key, be wrapped by a recovery key too."""
    public = private.with_name("public.json")
    files = ("--private", str(private), "--public", str(public))
    terminal.answer("keyring", "make-recovery-key", *files)
    list_keys(terminal.home.parent, root.uri, escrow=f"recovery:{public}")
    terminal.answer("keyring", "rewrap")


def store(url: str, tenant: Tenant) -> None:
    """Create secrets and replace their values, over HTTP."""
    with speaker(url, tenant) as account:
        for name in ("PASSWORD", "TOKEN", "CERTIFICATE"):
            value = f"{name} of {tenant.account_id}"
            assert account.create(name, "another value").ok
            assert account.call("POST", f"/v1/secrets/{name}", {"value": value}).ok
            tenant.values[name] = value
