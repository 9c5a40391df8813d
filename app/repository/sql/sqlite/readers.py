"""Readers: connections that cannot write, held open and lent to one thread at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.repository.sql.collections import SqlRepository
from app.repository.sql.prepared import PreparedStatements
from app.repository.sql.sqlite.connections import open_connection, reading_engine


class Readers:
    """Lends repositories on held connections; there are as many as were ever lent at once.

    Args:
        path: The database file.
        on_open: Called whenever a connection was opened.
    """

    def __init__(self, path: Path, on_open: Callable[[], None]) -> None:
        self._on_open = on_open
        self._engine = reading_engine(path)
        self._prepared = PreparedStatements(self._engine.dialect)
        self._idle: deque[SqlRepository] = deque()

    @contextmanager
    def lend(self) -> Iterator[SqlRepository]:
        """A repository for the time of a ``with`` block."""
        repository = self._take()
        try:
            yield repository
        finally:
            if repository.has_failed:
                repository.connection.close()
            else:
                self._idle.append(repository)

    def close(self) -> None:
        """Close every connection that is not lent."""
        while self._idle:
            self._idle.pop().connection.close()

    def _take(self) -> SqlRepository:
        with suppress(IndexError):
            return self._idle.pop()
        repository = SqlRepository(open_connection(self._engine), self._prepared)
        self._on_open()
        return repository
