"""Connections to one server that stay open between calls, for commands that make many calls."""

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
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect()
        is_whole = False
        try:
            yield connection
            is_whole = True
        finally:
            if is_whole:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close all of them."""
        while self._idle:
            self._idle.pop().close()
