"""An HTTP response that ends in time, whatever the other side does.

Python counts a socket's time-out per read, and so do the libraries that vendors build on: a server
that drips bytes would hold a call, its thread and its place for as long as it likes.
"""

import io
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from backends.calls.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LARGEST_ANSWER = 4 * 1024 * 1024


class _PatientReader(io.RawIOBase):
    """A socket's bytes, read within one time limit and one size limit for all of them."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = Deadline(sock.gettimeout() or 0.0)
        self._allowance = _LARGEST_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        remaining = self._deadline.remaining()
        if not remaining:
            raise TimeoutError
        self._sock.settimeout(remaining)
        count = self._raw.readinto(buffer)
        self._allowance -= count or 0
        if self._allowance < 0:
            raise ConnectionAbortedError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """A response all of whose reads share the time-out of its socket, and 4 MiB."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        self.fp = io.BufferedReader(_PatientReader(sock, self.fp.detach()))


def bounded_pool(pool: type[Any]) -> type[Any]:
    """A kind of urllib3's connection pools, with responses that end in time."""
    connection = type("Connection", (pool.ConnectionCls,), {"response_class": _BoundedResponse})
    return type("Pool", (pool,), {"ConnectionCls": connection})
