"""The listener on which Prometheus asks for metrics: one address, with nothing else on it.

Its address may be one that others reach, where no request of the API may come in. So a request on
this listener is answered here, whatever it asks for, and none on another listener is.
"""

import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from config.listening import Address, TcpAddress

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = "/metrics"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class MetricsListener:
    """A WSGI application that answers the requests of one listener with the metrics.

    Args:
        application: Answers those of the others.
        address: The listener's.
        metrics: Returns the metrics as text; raises ``BlockingIOError`` if it cannot in time.
    """

    def __init__(
        self, application: "WSGIApplication", address: Address, metrics: Callable[[], bytes]
    ) -> None:
        self._application = application
        self._address = address
        self._metrics = metrics

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer the request, or pass it on."""
        connection: socket.socket | None = environ.get("gunicorn.socket")
        if connection is None or not self._is_here(connection):
            return self._application(environ, start_response)
        if environ["PATH_INFO"] != _PATH or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _answer(start_response, "404 Not Found", b"There is only GET /metrics here.\n")
        try:
            text = self._metrics()
        except BlockingIOError:
            return _answer(start_response, "503 Service Unavailable", b"Others read them.\n")
        return _answer(start_response, "200 OK", text)

    def _is_here(self, connection: socket.socket) -> bool:
        name = connection.getsockname()
        if isinstance(self._address, TcpAddress):
            is_tcp = connection.family in {socket.AF_INET, socket.AF_INET6}
            return is_tcp and name[1] == self._address.port
        return connection.family == socket.AF_UNIX and name == self._address.path


def _answer(start_response: "StartResponse", status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", _TEXT), ("Content-Length", str(len(body)))])
    return [body]
