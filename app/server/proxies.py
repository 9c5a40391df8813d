"""Trust in the client address that a proxy states."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class BehindProxies:
    """A WSGI application that trusts the proxies in front of it.

    Every local process reaches a loopback address, and can send the headers of a proxy. A Unix
    socket is for the proxy alone. So if there is one, no TCP client is trusted.

    Args:
        count: The number of proxies in front, one behind the other.
        only_over_unix: Trust only requests over a Unix socket.
    """

    def __init__(self, application: "WSGIApplication", count: int, *, only_over_unix: bool) -> None:
        self._application = application
        self._trusting = ProxyFix(application, x_for=count, x_proto=0, x_host=0)
        self._only_over_unix = only_over_unix

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Pass the request on, with the address that a trusted proxy states."""
        if self._only_over_unix and environ.get("REMOTE_ADDR"):  # over TCP
            return self._application(environ, start_response)
        return self._trusting(environ, start_response)
