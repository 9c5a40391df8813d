"""The gateway's HTTP server: strict, bounded, and with our refusals for all that it refuses.

It stands below aiohttp's application: there is one handler and no route, and nobody may answer
``100 Continue`` before a request is admitted.
"""

import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from app.gateway.messages.refusals import Refusal, refusal_response
from app.gateway.traffic import Traffic
from config import SettingsError
from config.listening import Address, TcpAddress

MAX_LINE_BYTES = 8190
MAX_HEADERS = 100

_METRICS_BIND = "STRONGROOM_GATEWAY_METRICS_BIND"
_KEEP_SECONDS = 30.0  # also the time for the head of a request
_LINGER_SECONDS = 2.0  # in which a client that still sends can read the refusal
_READ_BYTES = 32 * 1024

_LOG = logging.getLogger("strongroom.gateway")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener(web.Server):
    """Makes one protocol for each connection.

    A client that hangs up cancels its request, and with it the one to the upstream.

    Args:
        traffic: Is shown requests that are no HTTP, which the handler does not see.
    """

    def __init__(self, handler: Handler, traffic: Traffic | None = None) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.traffic = traffic or Traffic()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return _Protocol(
            self,
            loop=self._loop,
            keepalive_timeout=_KEEP_SECONDS,
            lingering_time=_LINGER_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            read_bufsize=_READ_BYTES,
            auto_decompress=False,
            access_log=None,  # as its own application passes it
            logger=_LOG,
        )


@dataclass(frozen=True, slots=True)
class Listeners:
    """The listeners of one process.

    Attributes:
        carrying: Serves all addresses but one.
        metrics: Serves the address of the metrics, and no other.
    """

    carrying: Listener
    metrics: tuple[Address, Listener] | None = None

    def of(self, sockets: Iterable[socket.socket]) -> list[tuple[socket.socket, Listener]]:
        """Return the listener of each socket.

        Raises:
            SettingsError: The metrics got no socket of their own: nothing may be carried there.
        """
        if self.metrics is None:
            return [(each, self.carrying) for each in sockets]
        address, metrics = self.metrics
        found = [(each, metrics if _is_at(each, address) else self.carrying) for each in sockets]
        if [listener for _, listener in found].count(metrics) != 1:
            raise SettingsError([f"{_METRICS_BIND}: the process got no socket for it alone."])
        return found


def _is_at(bound: socket.socket, address: Address) -> bool:
    name = bound.getsockname()
    if isinstance(address, TcpAddress):
        is_tcp = bound.family in {socket.AF_INET, socket.AF_INET6}
        return is_tcp and (ip_address(name[0]), name[1]) == (ip_address(address.host), address.port)
    return bound.family == socket.AF_UNIX and name == address.path


class _Protocol(RequestHandler):
    """One connection; its errors are refusals of ours, and repeat nothing of the request."""

    __slots__ = ("_traffic",)

    def __init__(self, listener: Listener, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(listener, **options)
        self._traffic = listener.traffic

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what the client sent
    ) -> web.StreamResponse:
        """Make the response to what went wrong, unless one has begun.

        Raises:
            ConnectionError: The client has some of an answer; it sees that the rest is missing.
        """
        if request.writer.output_size > 0:
            raise ConnectionError
        if isinstance(exc, Refusal):
            return refusal_response(exc)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._traffic.refused("bad_request")
            return refusal_response(Refusal.of("bad_request"))
        _LOG.error("gateway_failed", exc_info=exc)
        return refusal_response(Refusal.of("internal_error"))
