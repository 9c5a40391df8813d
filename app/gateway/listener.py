"""The gateway's HTTP server: strict, bounded, and with our refusals for all that it refuses.

It stands below aiohttp's application: there is one handler and no route, and nobody may answer
``100 Continue`` before a request is admitted.
"""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from app.gateway.messages.refusals import Refusal, refusal_response

MAX_LINE_BYTES = 8190
MAX_HEADERS = 100

_KEEP_SECONDS = 30.0  # also the time for the head of a request
_LINGER_SECONDS = 2.0  # in which a client that still sends can read the refusal
_READ_BYTES = 32 * 1024

_LOG = logging.getLogger("strongroom.gateway")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener(web.Server):
    """Makes one protocol for each connection.

    A client that hangs up cancels its request, and with it the one to the upstream.
    """

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, handler_cancellation=True)

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
            access_log=None,  # type: ignore[arg-type] # as its own application passes it
            logger=_LOG,
        )


class _Protocol(RequestHandler):
    """One connection; its errors are refusals of ours, and repeat nothing of the request."""

    __slots__ = ()

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
            return refusal_response(Refusal.of("bad_request"))
        _LOG.error("gateway_failed", exc_info=exc)
        return refusal_response(Refusal.of("internal_error"))
