"""HTTP/2 in clear text on loopback, where the official JavaScript client of this machine needs it.

gunicorn keeps a thread for each HTTP/2 connection for as long as it is open. Here a connection has
a thread only while it has a stream, and at most a quarter of a worker's threads have HTTP/2
connections: the others wait for their turn in a line, without a thread.
"""

import time
from collections import deque
from typing import Generic, TypeVar

from gunicorn.http2.connection import HTTP2ServerConnection
from gunicorn.http2.errors import HTTP2ErrorCode

from app.server.bounded_socket import BoundedSocket

T = TypeVar("T")

IDLE_SECONDS = 5.0


class Http2Connection(HTTP2ServerConnection):  # type: ignore[misc]  # gunicorn has no types
    """One connection; its socket bounds how long a request and a response may take."""

    sock: BoundedSocket

    def __init__(self, cfg: object, sock: BoundedSocket, client: object) -> None:
        super().__init__(cfg, sock, client)
        self.idle_timeout = IDLE_SECONDS
        self.close_by = time.monotonic() + IDLE_SECONDS
        self.last_served = 0

    @property
    def has_work(self) -> bool:
        """Whether requests, or frames, are here that have left the socket already."""
        return bool(self.pending_requests or self._deferred_events)

    @property
    def is_idle_too_long(self) -> bool:
        """Whether it had no stream for too long."""
        return time.monotonic() >= self.close_by

    def note_served(self, stream_id: int) -> None:
        """Remember the stream that was served; the time without one starts anew."""
        self.last_served = stream_id
        self.close_by = time.monotonic() + IDLE_SECONDS

    def finish(self) -> None:
        """Tell the client to go elsewhere, without waiting for it."""
        self.sock.begin()
        self.sock.settimeout(0)
        self.close(last_stream_id=self.last_served)

    def send_response_headers(
        self,
        stream_id: int,
        status: int,
        headers: list[tuple[str, str]],
        end_stream: bool = False,  # noqa: FBT001, FBT002 - as in the base class
    ) -> bool:
        """Send them; the client has from now on to take the whole response."""
        self.sock.begin_response()
        sent: bool = super().send_response_headers(stream_id, status, headers, end_stream)
        return sent

    def _wait_for_flow_control_window(self, stream_id: int, deadline: float | None = None) -> int:
        """Wait no longer than the response may take, then give the whole connection up.

        gunicorn waits anew after each byte that the client takes, and next for its other streams.
        """
        by = min(self.sock.write_by, deadline or self.sock.write_by)
        available: int = super()._wait_for_flow_control_window(stream_id, by)
        if available == 0:
            self.close(error_code=HTTP2ErrorCode.ENHANCE_YOUR_CALM)
            return -1
        return available


class Turns(Generic[T]):
    """Which HTTP/2 connections have a thread, and which wait for one.

    Only the main thread changes it.

    Args:
        limit: How many may have one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: set[T] = set()
        self._line: deque[T] = deque()

    def take(self, connection: T) -> bool:
        """Take a turn for a connection, or a place in the line."""
        if len(self._taken) < self._limit:
            self._taken.add(connection)
            return True
        self._line.append(connection)
        return False

    def give_back(self, connection: T) -> T | None:
        """End the turn of a connection; return the one that has it now."""
        self._taken.discard(connection)
        if not self._line or len(self._taken) >= self._limit:
            return None
        following = self._line.popleft()
        self._taken.add(following)
        return following

    @property
    def are_waited_for(self) -> bool:
        """Whether a connection stands in the line. Any thread may ask."""
        return bool(self._line)
