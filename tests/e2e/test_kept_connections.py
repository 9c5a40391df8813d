"""Connections that stay open are served in turn, however many requests they hold."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

THREADS = 2
ASKED = b"GET /healthz HTTP/1.1\r\nHost: strongroom\r\n\r\n"
AHEAD = 4000
TOGETHER = 12


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """One worker of few threads."""
    settings = {"STRONGROOM_WORKERS": "1", "STRONGROOM_THREADS": str(THREADS)}
    with running(tmp_path_factory.mktemp("small"), settings) as server:
        yield server


@pytest.fixture(scope="module")
def large_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """Two workers of many threads."""
    with running(tmp_path_factory.mktemp("large"), {"STRONGROOM_WORKERS": "2"}) as server:
        yield server


class Connection:
    """A connection that asks and reads answers as it likes."""

    def __init__(self, opened: socket.socket) -> None:
        self.send = opened.sendall
        self._answers = opened.makefile("rb")

    def read_answer(self) -> None:
        """The next answer, which must be a good one."""
        assert self._answers.readline() == b"HTTP/1.1 200 OK\r\n"
        length = 0
        while (line := self._answers.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert len(self._answers.read(length)) == length


@contextmanager
def connected(server: Strongroom) -> Iterator[Connection]:
    address = ("127.0.0.1", int(server.environment["PORT"]))
    with socket.create_connection(address, timeout=15) as opened:
        yield Connection(opened)


def test_busy_connections_leave_threads_to_other_requests(small_server: Strongroom) -> None:
    all_busy, is_answered = threading.Barrier(THREADS + 1, timeout=30), threading.Event()

    def answers_before_the_other() -> int:
        with connected(small_server) as connection:
            connection.send(AHEAD * ASKED)
            connection.read_answer()
            all_busy.wait()
            number = 1
            while not is_answered.is_set():
                connection.read_answer()
                number += 1
            return number

    with ThreadPoolExecutor(THREADS) as pool, connected(small_server) as connection:
        busy = [pool.submit(answers_before_the_other) for _ in range(THREADS)]
        all_busy.wait()
        connection.send(ASKED)
        connection.read_answer()
        is_answered.set()
        assert all(each.result(30) < AHEAD / 4 for each in busy)


def connections_of(process: int, server: Strongroom) -> int:
    """The number of the server's connections that one of its processes has."""
    port = f":{int(server.environment['PORT']):04X} "
    rows = Path(f"/proc/{process}/net/tcp").read_text().splitlines()
    established = {row.split()[9] for row in rows if port in row[:20] and row.split()[3] == "01"}
    held = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()}
    return len(held & {f"socket:[{inode}]" for inode in established})


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def spread(server: Strongroom) -> list[int]:
    """The spread of simultaneous connections over the workers."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server)) for _ in range(TOGETHER)]
        for connection in connections:
            connection.send(ASKED)
        for connection in connections:
            connection.read_answer()
        return [connections_of(worker, server) for worker in server.workers()]


def test_connections_that_come_at_once_are_spread_over_the_workers(
    large_server: Strongroom,
) -> None:
    for idle in large_server.workers():
        with stopped(idle):
            spread(large_server)
    assert all(min(spread(large_server)) >= TOGETHER / 4 for _ in range(5))


def test_pipelined_requests_all_get_responses(small_server: Strongroom) -> None:
    with connected(small_server) as connection:
        connection.send(5 * ASKED)
        for _ in range(5):
            connection.read_answer()


def test_a_request_in_two_parts_gets_a_response(small_server: Strongroom) -> None:
    with connected(small_server) as connection:
        connection.send(ASKED + ASKED[:20])
        connection.read_answer()
        connection.send(ASKED[20:])
        connection.read_answer()
