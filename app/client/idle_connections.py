"""Connections to one server that stay open between calls, for commands that make many calls."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection


class IdleConnections:
    """The connections that no call uses now. Several threads may share one of these.

    A call takes an idle connection or opens a new one. It returns the connection only if nothing
    failed. So there are never more connections than calls at once.
    """

    def __init__(self) -> None:
        self._idle: list[HTTPConnection] = []

    @contextmanager
    def use(self, connect: Callable[[], HTTPConnection]) -> Iterator[HTTPConnection]:
        """Yield a connection for one exchange."""
        connection = self._take() or connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close all of them."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> HTTPConnection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not _is_ended(connection):
                return connection
            connection.close()


def _is_ended(connection: HTTPConnection) -> bool:
    """Return True if the server closed the connection: between calls it has nothing to say."""
    if connection.sock is None:  # it opens again with the next request
        return False
    readable = select.poll()
    readable.register(connection.sock, select.POLLIN)
    return bool(readable.poll(0))
