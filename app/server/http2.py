"""HTTP/2 in clear text on loopback, which the official JavaScript client needs there.

gunicorn gives each HTTP/2 connection a thread for as long as it is open. Here a connection has a
thread only while it has a stream. HTTP/2 connections use at most a quarter of a worker's threads;
the others wait in a queue, without a thread.
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
    """One connection, whose socket bounds the time of a request and of a response."""

    sock: BoundedSocket

    def __init__(self, cfg: object, sock: BoundedSocket, client: object) -> None:
        super().__init__(cfg, sock, client)
        self.idle_timeout = IDLE_SECONDS
        self.close_by = time.monotonic() + IDLE_SECONDS
        self.last_served = 0

    @property
    def has_work(self) -> bool:
        """True if requests or frames that were read from the socket wait to be served."""
        return bool(self.pending_requests or self._deferred_events)

    @property
    def is_idle_too_long(self) -> bool:
        """True if it had no stream for too long."""
        return time.monotonic() >= self.close_by

    def note_served(self, stream_id: int) -> None:
        """Remember the stream that was served, and restart the idle time."""
        self.last_served = stream_id
        self.close_by = time.monotonic() + IDLE_SECONDS

    def finish(self) -> None:
        """Send GOAWAY, without waiting for the client."""
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
        """Send the headers, and start the time limit of the response."""
        self.sock.begin_response()
        sent: bool = super().send_response_headers(stream_id, status, headers, end_stream)
        return sent

    def _wait_for_flow_control_window(self, stream_id: int, deadline: float | None = None) -> int:
        """Wait until the deadline of the response at most, then close the whole connection.

        gunicorn restarts its wait after each byte that the client takes, and for each stream.
        """
        by = min(self.sock.write_by, deadline or self.sock.write_by)
        available: int = super()._wait_for_flow_control_window(stream_id, by)
        if available == 0:
            self.close(error_code=HTTP2ErrorCode.ENHANCE_YOUR_CALM)
            return -1
        return available


class Turns(Generic[T]):
    """The HTTP/2 connections that have a thread, and the queue of those that wait for one.

    Only the main thread changes them.

    Args:
        limit: The number of connections that may have a thread.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._active: set[T] = set()
        self._queue: deque[T] = deque()

    def take(self, connection: T) -> bool:
        """Give a connection a turn, or queue it and return False."""
        if len(self._active) < self._limit:
            self._active.add(connection)
            return True
        self._queue.append(connection)
        return False

    def give_back(self, connection: T) -> T | None:
        """End the turn of a connection. Returns the connection that has it now."""
        self._active.discard(connection)
        if not self._queue or len(self._active) >= self._limit:
            return None
        following = self._queue.popleft()
        self._active.add(following)
        return following

    @property
    def are_waited_for(self) -> bool:
        """True if a connection is queued. Any thread may ask."""
        return bool(self._queue)
