"""Retiring a root key while nodes are live: the documented way, and where it is not followed."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.e2e.keys.roots import LocalRoot, list_keys, settings
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def listed(server: Strongroom) -> list[str]:
    """The lists of all live workers, one after the other, once there is one."""
    found: list[str] = []

    def has_told() -> bool:
        status = json.loads(server.command("keyring", "status", "--json").stdout)
        found[:] = [each["lists"] for each in status["workers"] if each["state"] == "live"]
        return bool(found)

    wait_until(has_told)
    return found


def retire(server: Strongroom, key_ref: str, **chosen: str) -> str:
    """The command's message; empty on success."""
    done = server.command("keyring", "retire", key_ref, check=False, **chosen)
    return "" if done.returncode == 0 else done.stderr


def writes(server: Strongroom) -> bool:
    """Return True if a new account, which needs a new data key, can write."""
    with (
        closing(build(load(server.environment))) as operator,
        Account.new(server.url, operator) as account,
    ):
        return account.create("NEW").ok


def test_a_root_key_is_not_retired_while_a_node_uses_the_old_setting(
    tmp_path: Path,
) -> None:
    """Its setting comes from its environment, which SIGHUP does not read again."""
    old, new = LocalRoot(tmp_path / "old"), LocalRoot(tmp_path / "new")
    with running(tmp_path, {"STRONGROOM_KEYS": old.uri, "STRONGROOM_WORKERS": "1"}) as server:
        (old_ref,) = listed(server)
        moved = f"{new.uri} {old.uri}"
        server.reload()
        server.command("keyring", "rewrap", STRONGROOM_KEYS=moved)
        refusal = retire(server, old_ref, STRONGROOM_KEYS=moved)
        assert re.search(r"the worker \S+/\d+ opens the system data key by nothing else", refusal)
        server.wait_until_ready()
        assert writes(server)


def test_a_node_that_reads_its_setting_from_a_file_follows_a_reload(tmp_path: Path) -> None:
    old, new = LocalRoot(tmp_path / "old"), LocalRoot(tmp_path / "new")
    list_keys(tmp_path, old.uri)
    with running(tmp_path, settings(tmp_path) | {"STRONGROOM_WORKERS": "2"}) as server:
        old_ref = listed(server)[0]
        list_keys(tmp_path, new.uri, old.uri)
        server.reload()
        server.command("keyring", "rewrap")
        assert retire(server, old_ref) == ""
        assert writes(server)


def test_a_node_that_starts_with_a_retired_key_is_not_ready_and_logs_it(
    tmp_path: Path,
) -> None:
    old, new = LocalRoot(tmp_path / "old"), LocalRoot(tmp_path / "new")
    list_keys(tmp_path, old.uri)
    with running(tmp_path, settings(tmp_path) | {"STRONGROOM_WORKERS": "1"}) as server:
        (old_ref,) = listed(server)
        server.stop()
        list_keys(tmp_path, new.uri, old.uri)
        server.command("keyring", "rewrap")
        assert retire(server, old_ref) == ""
        list_keys(tmp_path, old.uri)
        server.launch()
        wait_until(lambda: f"only keys that were retired are listed ({old_ref})" in log(server))
        answer = requests.get(f"{server.url}/readyz", timeout=30)
        assert answer.json() == {"status": "unavailable", "database": True, "provider": False}


def test_a_worker_deletes_its_heartbeat_when_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, {"STRONGROOM_WORKERS": "2"}) as server:
        listed(server)
        server.stop()
        status = json.loads(server.command("keyring", "status", "--json").stdout)
        assert status["workers"] == []


def log(server: Strongroom) -> str:
    return server.log.read_text()
