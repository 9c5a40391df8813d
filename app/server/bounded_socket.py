"""A socket on which a request must arrive, and its response be taken, within a time.

A time-out of a socket begins anew with each call, so whoever sends or takes a byte now and then
holds a thread for ever. The two times here are for a whole request and for a whole response.
"""

import errno
import socket
import struct
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READ_SECONDS = 10.0
WRITE_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class TooSlow(TimeoutError):
    """The client took too long.

    It carries the number of a reset connection: gunicorn then ends the connection, and does not
    log it as a failure.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class BoundedSocket(socket.socket):
    """The accepted end of a connection, for one request and response after another.

    Attributes:
        is_given_up: Whether the client did not take a response in time.
    """

    is_given_up = False
    _read_by: float
    _write_by: float | None  # none until the first byte of the response is sent
    _asked: float | None = None  # the time-out of one call, as for any socket

    @classmethod
    def take(cls, accepted: socket.socket) -> Self:
        """Take the connection over from another socket object, which is left closed."""
        taken = cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        taken.begin()
        return taken

    def begin(self) -> None:
        """Start the time of a request. That of its response starts with its first byte."""
        self._read_by = time.monotonic() + READ_SECONDS
        self._write_by = None

    def begin_response(self) -> None:
        """Start the time of the response anew: what was sent before belonged to the protocol.

        What the client must send for more of the response may take as long.
        """
        self._write_by = self._read_by = time.monotonic() + WRITE_SECONDS

    @property
    def write_by(self) -> float:
        """When the response must have been taken, by the monotonic clock."""
        if self._write_by is None:
            self._write_by = time.monotonic() + WRITE_SECONDS
        return self._write_by

    def settimeout(self, value: float | None) -> None:
        """Bound each call, within the time that is left for all of them."""
        self._asked = value
        super().settimeout(value)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as in the base class
        """Bound no call by itself, or let none wait."""
        self.settimeout(None if flag else 0.0)

    def gettimeout(self) -> float | None:
        """Return the bound of each call."""
        return self._asked

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive, within the time of the request.

        Raises:
            TooSlow: That time is over.
        """
        self._wait_until(self._read_by, self._asked)
        return super().recv(bufsize, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Send, within the time of the response.

        Raises:
            TooSlow: That time is over.
        """
        try:
            self._wait_until(self.write_by, None if self._asked else self._asked)
            super().sendall(data, flags)
        except TimeoutError:
            self._give_up()
            raise TooSlow from None

    def _give_up(self) -> None:
        """Leave nothing to the system that it would go on offering to the client."""
        self.is_given_up = True
        if self.family != socket.AF_UNIX:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _wait_until(self, deadline: float, asked: float | None) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TooSlow
        super().settimeout(remaining if asked is None or asked > remaining else asked)
