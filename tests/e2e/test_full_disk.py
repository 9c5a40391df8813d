"""A server whose disk is full says so by SQLite's own name, and goes on once there is space."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.small_disk import SmallDisk, small_disk
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "home") as disk:  # the log of the server stays outside
        yield disk


@pytest.fixture
def server(disk: SmallDisk) -> Iterator[Strongroom]:
    with running(disk.path.parent, {"STRONGROOM_WORKERS": "1"}) as server:
        yield server


def create(server: Strongroom, name: str) -> int:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    body = {"name": name, "value": "x" * 60_000}
    answer = requests.post(f"{server.url}/v1/secrets", json=body, headers=headers, timeout=30)
    return answer.status_code


def failures(server: Strongroom) -> list[str]:
    lines = server.log_lines()
    return [line.get("detail", "") for line in lines if line["event"] == "failure"]


def test_a_full_disk_is_named_and_passes(disk: SmallDisk, server: Strongroom) -> None:
    assert create(server, "FIRST") == 200
    with disk.with_free(0):
        statuses = [create(server, f"NAME_{number}") for number in range(10)]
        assert statuses[-1] == 503
        checked = server.command("check", check=False)
        assert checked.returncode == 1
        assert re.search("SQLITE_FULL|ENOSPC", checked.stderr)
    wait_until(lambda: any("SQLITE_FULL" in detail for detail in failures(server)))
    assert create(server, "LAST") == 200
    assert server.command("check").returncode == 0
