"""A server whose log nobody reads goes on serving, and says afterwards what the log lacks."""

import json
import os
import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.strongroom import Strongroom, prepared

pytestmark = pytest.mark.slow

MORE_THAN_A_PIPE_TAKES = 500


@pytest.fixture
def log_reader(tmp_path: Path) -> Iterator[int]:
    """The end of the server's standard error that a reader has, and does not use yet."""
    os.mkfifo(tmp_path / "server.log")
    reader = os.open(tmp_path / "server.log", os.O_RDONLY | os.O_NONBLOCK)
    yield reader
    os.close(reader)


@pytest.fixture
def server(tmp_path: Path, log_reader: int) -> Iterator[Strongroom]:
    server = prepared(tmp_path, {"STRONGROOM_WORKERS": "1"})
    try:
        server.start()
        yield server
    finally:
        server.kill()


def ask(server: Strongroom) -> None:
    with requests.Session() as session:
        for _ in range(MORE_THAN_A_PIPE_TAKES):
            assert session.get(f"{server.url}/healthz", timeout=30).status_code == 200


def read_until_it_ends(server: Strongroom, reader: int) -> list[dict[str, Any]]:
    """All lines that the server wrote and writes; it ends meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(server.stop)
        read = b""
        while select.select([reader], [], [], 60)[0] and (piece := os.read(reader, 65536)):
            read += piece
        stopping.result()
    return [json.loads(line) for line in read.splitlines()]


def test_requests_get_responses_while_the_log_stalls_and_every_line_is_written_later(
    server: Strongroom, log_reader: int
) -> None:
    ask(server)
    lines = read_until_it_ends(server, log_reader)
    routes = [line.get("route") for line in lines]
    assert routes.count("/healthz") == MORE_THAN_A_PIPE_TAKES


def test_the_server_reloads_and_ends(server: Strongroom) -> None:
    ask(server)
    server.reload()
    ask(server)
    server.stop()
