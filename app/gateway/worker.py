"""gunicorn's worker for the gateway: aiohttp's, with our listener in place of an application."""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from aiohttp import web
from aiohttp.worker import GunicornWebWorker

from app.gateway.listener import Listener, Listeners

MakeListeners = Callable[[], AbstractAsyncContextManager[Listeners]]
"""Starts the parts of one process, and yields its listeners."""

_NOTIFY_SECONDS = 1.0
_CUT_OFF_SECONDS = 5.0  # that remain of the graceful time-out to close what did not end


class Worker(GunicornWebWorker):
    """Serves until gunicorn says so, then lets requests under way end for a while."""

    async def _run(self) -> None:
        make_listeners: MakeListeners = self.wsgi
        async with make_listeners() as listeners:
            runners: dict[Listener, web.ServerRunner] = {}
            patience = max(1.0, self.cfg.graceful_timeout - _CUT_OFF_SECONDS)
            for bound, listener in listeners.of(self.sockets):
                if listener not in runners:
                    runners[listener] = web.ServerRunner(listener, shutdown_timeout=patience)
                    await runners[listener].setup()
                await web.SockSite(runners[listener], bound).start()
            self.booted = True
            while self.alive and self.ppid == os.getppid():
                self.notify()
                await self._wait_next_notify()
            self.alive = False
            await self._drain(runners.values())

    async def _drain(self, runners: Iterable[web.ServerRunner]) -> None:
        """Let requests end, and show gunicorn meanwhile that the worker is not stuck."""
        cleanup = asyncio.gather(*[each.cleanup() for each in runners])
        while not cleanup.done():
            self.notify()
            await asyncio.wait({cleanup}, timeout=_NOTIFY_SECONDS)
        await cleanup
