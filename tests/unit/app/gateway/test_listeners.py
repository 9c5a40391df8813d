"""The address of the metrics has a listener of its own, and no other address has it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiohttp import web

from app.gateway.listener import Listener, Listeners
from config import SettingsError
from config.listening import Address, TcpAddress, UnixSocket


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """Two on TCP and two on Unix sockets."""
    with ExitStack() as opened:
        made = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        for name in ("a", "b"):
            path = str(tmp_path / name)
            made.append(opened.enter_context(socket.create_server(path, family=socket.AF_UNIX)))
        yield made


def of_metrics(sockets: list[socket.socket], address: Address) -> list[bool]:
    """Return, for each socket, that the metrics are served there."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    async def assigned() -> list[bool]:
        listeners = Listeners(Listener(answer), (address, Listener(answer)))
        return [listener is not listeners.carrying for _, listener in listeners.of(sockets)]

    return asyncio.run(assigned())


def test_one_port_is_that_of_the_metrics(sockets: list[socket.socket]) -> None:
    address = TcpAddress("127.0.0.1", sockets[1].getsockname()[1])
    assert of_metrics(sockets, address) == [False, True, False, False]


def test_one_path_is_that_of_the_metrics(sockets: list[socket.socket]) -> None:
    address = UnixSocket(sockets[2].getsockname())
    assert of_metrics(sockets, address) == [False, False, True, False]


def test_the_same_port_of_another_address_is_not(sockets: list[socket.socket]) -> None:
    address = TcpAddress("127.0.0.2", sockets[1].getsockname()[1])
    with pytest.raises(SettingsError):
        of_metrics(sockets, address)


def test_a_socket_that_was_handed_over_twice_is_served_by_nobody(
    sockets: list[socket.socket],
) -> None:
    address = TcpAddress("127.0.0.1", sockets[1].getsockname()[1])
    with pytest.raises(SettingsError):
        of_metrics([*sockets, sockets[1]], address)
