"""The worker of gunicorn, without gunicorn."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from app.gateway.listener import Listener, Listeners
from app.gateway.worker import Worker


def test_a_worker_that_drains_shows_that_it_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that shows nothing for 60 seconds is killed; streams may drain for longer."""
    monkeypatch.setattr("app.gateway.worker._NOTIFY_SECONDS", 0.01)
    assert asyncio.run(asyncio.wait_for(_drained(), 60)) == b"HTTP/1.1 200 OK"


async def _drained() -> bytes:
    begun, may_end = asyncio.Event(), asyncio.Event()
    shown = 0

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        begun.set()
        await may_end.wait()
        return web.Response()

    @asynccontextmanager
    async def make_listeners() -> AsyncIterator[Listeners]:
        yield Listeners(Listener(answer))

    def notify() -> None:
        nonlocal shown
        shown += not worker.alive
        if shown > 3:
            may_end.set()

    listening = socket.create_server(("127.0.0.1", 0))
    worker: Any = Worker.__new__(Worker)
    worker.__dict__.update(
        alive=True,
        cfg=SimpleNamespace(graceful_timeout=60),
        loop=asyncio.get_running_loop(),
        notify=notify,
        ppid=os.getppid(),
        sockets=[listening],
        wsgi=make_listeners,
        _notify_waiter=None,
    )
    running = asyncio.create_task(worker._run())
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
    await begun.wait()
    worker.alive = False
    worker._notify_waiter_done()
    line = await reader.readline()
    writer.close()
    await running
    return line.strip()
