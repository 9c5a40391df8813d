"""A socket with one time limit for a whole request and one for a whole response.

The timeout of a plain socket restarts with each call. A client that sends or takes a byte now and
then would block a thread for ever.
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

    Its errno is that of a reset connection, so gunicorn ends the connection and logs no failure.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class BoundedSocket(socket.socket):
    """The server's end of a connection, for one request and response after another.

    Attributes:
        is_given_up: The client did not take a response in time.
    """

    is_given_up = False
    _read_by: float
    _write_by: float | None  # None until the first byte of the response is sent
    _asked: float | None = None  # the timeout of one call, as for any socket

    @classmethod
    def take(cls, accepted: socket.socket) -> Self:
        """Take over the connection of another socket object, and close that object."""
        taken = cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        taken.begin()
        return taken

    def begin(self) -> None:
        """Start the time limit of a request. That of its response starts with its first byte."""
        self._read_by = time.monotonic() + READ_SECONDS
        self._write_by = None

    def begin_response(self) -> None:
        """Restart the time limit of the response: earlier bytes belonged to the protocol.

        The client has the same time for the frames that it must send to get the response.
        """
        self._write_by = self._read_by = time.monotonic() + WRITE_SECONDS

    @property
    def write_by(self) -> float:
        """The deadline for taking the response, on the monotonic clock."""
        if self._write_by is None:
            self._write_by = time.monotonic() + WRITE_SECONDS
        return self._write_by

    def settimeout(self, value: float | None) -> None:
        """Bound each call, within the time that remains for all of them."""
        self._asked = value
        super().settimeout(value)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as in the base class
        """Remove the bound of each call, or let no call wait."""
        self.settimeout(None if flag else 0.0)

    def gettimeout(self) -> float | None:
        """Return the bound of each call."""
        return self._asked

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive within the time limit of the request.

        Raises:
            TooSlow: The time limit is over.
        """
        self._wait_until(self._read_by, self._asked)
        return super().recv(bufsize, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Send within the time limit of the response.

        Raises:
            TooSlow: The time limit is over.
        """
        try:
            self._wait_until(self.write_by, None if self._asked else self._asked)
            super().sendall(data, flags)
        except TimeoutError:
            self._give_up()
            raise TooSlow from None

    def _give_up(self) -> None:
        """Reset the connection, so the system does not go on sending buffered bytes."""
        self.is_given_up = True
        if self.family != socket.AF_UNIX:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _wait_until(self, deadline: float, asked: float | None) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TooSlow
        super().settimeout(remaining if asked is None or asked > remaining else asked)
