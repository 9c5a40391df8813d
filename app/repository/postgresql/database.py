"""The database on PostgreSQL."""

import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache, partial
from typing import cast

import psycopg
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Dialect

from app.domain.errors import FileRefused
from app.domain.operations.backups import BackupContents
from app.domain.operations.findings import Findings
from app.domain.operations.measurements import ConnectionUse, DatabaseSize
from app.repository.base import Database, Replacement, Repository, UnitOfWork
from app.repository.postgresql.address import MIGRATION_SETTING, parse_address
from app.repository.postgresql.check import look_at_server
from app.repository.postgresql.connections import connect
from app.repository.postgresql.failures import translate
from app.repository.postgresql.finding.hosts import Hosts
from app.repository.postgresql.migrating import upgrade
from app.repository.postgresql.options import ServerOptions
from app.repository.postgresql.pool import Pool
from app.repository.postgresql.sessions import RetryingCursor, Transaction
from app.repository.sql.collections import SqlRepository, SqlUnitOfWork
from app.repository.sql.driver.statements import PreparedStatements, PutOff, Statements

_ITS_OWN = (
    "PostgreSQL makes its own backups: pg_dump, or a base backup with its log for any point in "
    "time. Put one back with its tools, then run: strongroom restore --verify-only (docs/backup.md)"
)


class PostgresqlDatabase(Database):
    """One PostgreSQL database, reached through a bounded pool of connections.

    Connections do not survive a fork: a child begins with none, and leaves those of its parent
    open, since closing one would end the parent's session.

    Args:
        url: Its address.
        options: How many connections the process may have at once, and the like.

    Raises:
        DatabaseMisconfigured: The address cannot be used.
    """

    def __init__(self, url: str, options: ServerOptions) -> None:
        self._address = parse_address(url)
        self._migration_address = self._address
        if options.migration_url is not None:
            self._migration_address = parse_address(options.migration_url, MIGRATION_SETTING)
        self._options = options
        self._prepared = PreparedStatements(_dialect())
        self._inherited: list[Pool] = []
        self._readers: deque[_Reader] = deque()
        self._pool = self._new_pool()
        _DATABASES.add(self)

    @contextmanager
    def reading(self) -> Iterator[Repository]:
        """Collections that can only be read, outside a transaction."""
        borrowed = self._pool.borrow()
        reader = self._take_reader()
        reader.cursor.use(borrowed)
        try:
            yield reader
        finally:
            reader.cursor.leave()
            self._readers.append(reader)
            borrowed.give_back()

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """A unit of work."""
        borrowed = self._pool.borrow()
        try:
            transaction = Transaction(borrowed)
            statements = self._statements(transaction, locks=True, put_off=transaction.put_off)
            work = SqlUnitOfWork(statements, transaction.commit)
            try:
                yield work
            finally:
                if not work.has_ended:
                    work.end()
                    transaction.undo()
        finally:
            borrowed.give_back()

    def ping(self) -> None:
        """Read the deployment's row."""
        with self.reading() as repository:
            repository.deployment.get_id()

    def exists(self) -> bool:
        """Return True if there may be a deployment: it has tables, or does not answer."""
        try:
            with closing(connect(self._address, pooler=self._options.pooler)) as connection:
                ((has_tables,),) = connection.execute(_HAS_TABLES).fetchall()
                return bool(has_tables)
        except psycopg.Error:
            return True

    def check(self) -> Findings:
        """Look at the server, the session, the role and the schema."""
        others = None if self._options.migration_url is None else self._migration_address
        return look_at_server(self._address, self._options, others)

    def size(self) -> DatabaseSize:
        """Ask the server for the size of the database."""
        with self.reading() as reader:
            return DatabaseSize(cast("_Reader", reader).statements.count(_SIZE, {}))

    def connections(self) -> ConnectionUse:
        """Count the connections of the pool in use."""
        return ConnectionUse(self._pool.in_use, self._options.connections)

    def upgrade(self) -> None:
        """Make the tables where there are none, and bring them to the newest migration.

        Other processes that do the same wait for their turn, and find it done.
        """
        upgrade(self._migration_address)

    def back_up(self, *_: object) -> BackupContents:
        """Refuse: the server's own tools do it."""
        raise FileRefused(_ITS_OWN)

    def replacing(self, *_: object, **__: object) -> AbstractContextManager[Replacement]:
        """Refuse: the server's own tools do it."""
        raise FileRefused(_ITS_OWN)

    def close(self) -> None:
        """Close all connections, those in use as soon as they are given back."""
        self._pool.close()

    def start_again(self) -> None:
        """Begin again in a forked child, without touching what belongs to its parent."""
        self._inherited.append(self._pool)
        self._pool = self._new_pool()

    def _new_pool(self) -> Pool:
        hosts = Hosts(self._address, partial(connect, pooler=self._options.pooler))
        return Pool(hosts.connect, self._options.connections)

    def _take_reader(self) -> "_Reader":
        with suppress(IndexError):
            return self._readers.pop()
        cursor = RetryingCursor()
        return _Reader(cursor, self._statements(cursor, locks=False))

    def _statements(
        self, cursor: object, *, locks: bool, put_off: PutOff | None = None
    ) -> Statements:
        return Statements(
            cursor,
            psycopg.Error,
            self._prepared,
            locks=locks,
            translate=translate,
            put_off=put_off,
        )


class _Reader(SqlRepository):
    """Collections for readers: a dozen objects, which are used again by other readers."""

    def __init__(self, cursor: RetryingCursor, statements: Statements) -> None:
        super().__init__(statements)
        self.cursor = cursor


@cache
def _dialect() -> Dialect:
    make: Callable[..., Dialect] = PGDialect_psycopg
    return make(paramstyle="pyformat")  # parameters by name, as statements have them


_SIZE = select(func.pg_database_size(func.current_database()))
_HAS_TABLES = "SELECT to_regclass('alembic_version') IS NOT NULL"

_DATABASES: weakref.WeakSet[PostgresqlDatabase] = weakref.WeakSet()


def _start_again() -> None:
    for database in list(_DATABASES):
        database.start_again()


os.register_at_fork(after_in_child=_start_again)
