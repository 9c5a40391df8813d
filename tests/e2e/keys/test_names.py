"""Root keys that could be taken for each other, and an alias that comes to mean another one."""

from contextlib import closing
from pathlib import Path

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.keys.roots import TransitRoot, list_keys
from tests.e2e.keys.tenants import expected_values, opened_values, seed
from tests.support.kms import KmsServer
from tests.support.openbao import OpenBao, openbao_server
from tests.support.terminal import Terminal


def process(terminal: Terminal) -> Services:
    """A new process of the deployment."""
    return build(load(terminal.environ))


def test_two_vaults_with_the_same_mount_and_key_name_are_distinguished(
    openbao: OpenBao, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with openbao_server(tmp_path / "other") as other:
        first = TransitRoot(openbao, openbao.host, tmp_path)
        second = TransitRoot(other, other.host, tmp_path, first.name)
        list_keys(tmp_path, first.uri)
        terminal.answer("init")
        with closing(process(terminal)) as services:
            tenants = seed(services, 3, 2)
        list_keys(tmp_path, second.uri, first.uri)
        assert terminal.json("keyring", "rewrap")["changed"] == 4
        terminal.answer("keyring", "retire", f"{openbao.host}/transit/{first.name}:v1")
        first.destroy()
        list_keys(tmp_path, second.uri)
        with closing(process(terminal)) as services:
            assert opened_values(services, tenants) == expected_values(tenants)


def test_a_process_resolves_an_alias_once(
    kms: KmsServer, aws: dict[str, str], terminal: Terminal, tmp_path: Path
) -> None:
    list_keys(tmp_path, f"aws-kms:{kms.point_alias('stays', kms.create_key())}")
    terminal.answer("init")
    with closing(process(terminal)) as services:
        tenants = seed(services, 1, 2)
        kms.point_alias("stays", kms.create_key())
        tenants += seed(services, 1, 2)
        assert opened_values(services, tenants) == expected_values(tenants)


def test_a_new_process_does_not_start_after_an_alias_moved_until_the_old_key_is_listed(
    kms: KmsServer, aws: dict[str, str], terminal: Terminal, tmp_path: Path
) -> None:
    old = kms.create_key()
    alias = f"aws-kms:{kms.point_alias('moved', old)}"
    list_keys(tmp_path, alias)
    terminal.answer("init")
    with closing(process(terminal)) as services:
        tenants = seed(services, 2, 2)
    kms.point_alias("moved", kms.create_key())
    status = terminal.json("keyring", "status")
    assert status["unreadable_data_keys"] == 3
    assert [each["state"] for each in status["key_refs"]] == ["orphaned"]
    refused = terminal.run("check")
    assert refused.exit_code == 1
    assert "STRONGROOM_KEYS: no listed provider could open 3 data keys." in refused.stderr
    list_keys(tmp_path, alias, f"aws-kms:{old}")
    assert terminal.json("keyring", "rewrap")["changed"] == 3
    list_keys(tmp_path, alias)
    with closing(process(terminal)) as services:
        assert opened_values(services, tenants) == expected_values(tenants)
