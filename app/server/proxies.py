"""Whose word on where a request comes from is taken."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class BehindProxies:
    """A WSGI application that believes the proxies in front of it.

    Every local process reaches a loopback address and can say what a proxy would. A Unix socket is
    for the proxy alone, so where there is one, nobody else is believed.

    Args:
        count: How many proxies stand in front, one behind the other.
        only_over_unix: Whether a proxy is known by the Unix socket that it comes over.
    """

    def __init__(self, application: "WSGIApplication", count: int, *, only_over_unix: bool) -> None:
        self._application = application
        self._believing = ProxyFix(application, x_for=count, x_proto=0, x_host=0)
        self._only_over_unix = only_over_unix

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Pass the request on, with the address that a proxy told if it is believed."""
        if self._only_over_unix and environ.get("REMOTE_ADDR"):  # over TCP
            return self._application(environ, start_response)
        return self._believing(environ, start_response)
