"""Readers: connections that cannot write, kept open and used by one thread at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.repository.sql.collections import SqlRepository
from app.repository.sql.driver.statements import PreparedStatements
from app.repository.sqlite.connections import open_connection, reading_engine


class Readers:
    """Lends repositories on open connections; there are as many as were ever used at once.

    Args:
        path: The database file.
        before_open: Called before a connection is opened; may refuse.
    """

    def __init__(self, path: Path, before_open: Callable[[], None]) -> None:
        self._before_open = before_open
        self._engine = reading_engine(path)
        self._prepared = PreparedStatements(self._engine.dialect)
        self._idle: deque[SqlRepository] = deque()
        self._in_use: set[SqlRepository] = set()

    @contextmanager
    def lend(self) -> Iterator[SqlRepository]:
        """A repository for the time of a ``with`` block."""
        repository = self._take()
        self._in_use.add(repository)
        try:
            yield repository
        finally:
            self._in_use.discard(repository)
            if repository.statements.has_failed:
                repository.connection.close()
            else:
                self._idle.append(repository)

    def close(self) -> bool:
        """Close every idle connection, and return True if these are all."""
        while self._idle:
            self._idle.pop().connection.close()
        return not self._in_use

    def _take(self) -> SqlRepository:
        with suppress(IndexError):
            return self._idle.pop()
        self._before_open()
        return SqlRepository(open_connection(self._engine), self._prepared)
