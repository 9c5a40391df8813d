"""Answers Prometheus on the address of the gateway's metrics; nothing is carried there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from app.gateway.listener import Listener
from app.observability.metrics.files import text_of

_PATH = "/metrics"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_listener(directory: Path) -> Listener:
    """Make the listener.

    Args:
        directory: All workers count in its files.
    """
    return Listener(_Answer(directory).answer)


class _Answer:
    """Reads the files in one thread, for one reader at a time: streams go on meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread = ThreadPoolExecutor(1, "metrics")
        self._is_reading = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path != _PATH or request.method not in {"GET", "HEAD"}:
            return _response(HTTPStatus.NOT_FOUND, b"There is only GET /metrics here.\n")
        if self._is_reading:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, b"Others read them.\n")
        self._is_reading = True
        reading = asyncio.get_running_loop().run_in_executor(self._thread, text_of, self._directory)
        reading.add_done_callback(self._end)
        try:
            return _response(HTTPStatus.OK, await asyncio.shield(reading))
        except BlockingIOError:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, b"Others read them.\n")

    def _end(self, reading: "asyncio.Future[bytes]") -> None:
        self._is_reading = False
        if not reading.cancelled():
            reading.exception()  # it was seen, also where the client hung up


def _response(status: HTTPStatus, body: bytes) -> web.Response:
    response = web.Response(status=status, body=body, headers={"Content-Type": _TYPE})
    response.headers["Server"] = "strongroom"
    return response
