"""Keeps a slash that a client encoded from dividing a path.

WSGI hands over the path decoded, so ``/v1/secrets/A%2Fdelete``, a name that no secret has, would
arrive as the deletion of ``A``. Such a path is taken from the request line instead, its ``%2F``
left as it stands.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


class EncodedSlashes:
    """A WSGI application in front of another."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Pass the request on, an encoded slash in its path still encoded."""
        target = environ.get("RAW_URI", "")
        if _ENCODED_SLASH.search(target):
            kept = _ENCODED_SLASH.sub("%252F", _path(target))
            environ["PATH_INFO"] = unquote_to_bytes(kept).decode("latin-1")
        return self._application(environ, start_response)


def _path(target: str) -> str:
    """The path of a request target, which is itself a path or an absolute URI."""
    path = target if target.startswith("/") else urlsplit(target).path
    return re.split("[?#]", path, maxsplit=1)[0]
