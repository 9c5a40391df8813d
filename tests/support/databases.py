"""The kind of database that the deployments of a run of tests have: ``pytest --database=…``.

A deployment is a home directory. On SQLite its database is a file there; on PostgreSQL it is a
database of its own on a server that the process shares. Tests that are about files are marked
``sqlite``.
"""

import atexit
import fcntl
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app.repository.sql.tables import metadata
from tests.support.postgresql import PostgresqlServer, as_psycopg, postgresql_server

Row = dict[str, Any]


class Rows(ABC):
    """The database as someone who can write to it sees it: no constraint holds."""

    equals: str
    """Compares a column with a value, or with NULL."""

    @abstractmethod
    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement, whose placeholders are question marks, and return its rows."""

    def all(self, table: str, **where: object) -> list[Row]:
        return self._run(f"SELECT * FROM {table}", where)

    def one(self, table: str, **where: object) -> Row:
        (row,) = self.all(table, **where)
        return row

    def edit(self, table: str, where: Mapping[str, object], **columns: object) -> None:
        changes = ", ".join(f'"{name}" = ?' for name in columns)
        self._run(f"UPDATE {table} SET {changes}", where, *columns.values())

    def remove(self, table: str, **where: object) -> None:
        self._run(f"DELETE FROM {table}", where)

    def plant(self, table: str, row: Row) -> None:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        self._run(f"INSERT INTO {table} ({names}) VALUES ({marks})", {}, *row.values())

    def plant_many(self, table: str, rows: Sequence[Row]) -> None:
        """Plant rows with the same columns in one transaction."""
        self.execute("BEGIN")
        for row in rows:
            self.plant(table, row)
        self.execute("COMMIT")

    def rowids(self, table: str) -> list[int]:
        """The places of the rows of ``all`` on the disk, where they can be told."""
        pytest.skip("only SQLite has numbered rows")

    def _run(self, sql: str, where: Mapping[str, object], *values: object) -> list[Row]:
        if where:
            sql += " WHERE " + " AND ".join(f'"{name}" {self.equals} ?' for name in where)
        return self.execute(sql, [*values, *where.values()])


class Databases(ABC):
    """One kind of database, for every home of this process."""

    @abstractmethod
    def settings(self, home: Path) -> dict[str, str]:
        """The settings by which a process finds the database of a home."""

    def dump(self, home: Path) -> dict[str, list[Row]]:
        """Every row of a home's database, by table."""
        with self.rows(home) as rows:
            return {table: rows.all(table) for table in metadata.tables}

    @abstractmethod
    def copy(self, source: Path, target: Path) -> None:
        """Give the copy of a home a copy of the database, as far as it is not in the home."""

    @abstractmethod
    def rows(self, home: Path) -> AbstractContextManager[Rows]:
        """The rows of a home's database, for a ``with`` block."""

    @abstractmethod
    def no_writer(self, home: Path) -> AbstractContextManager[None]:
        """Make who writes secrets or uses wait until the ``with`` block ends: at most seconds."""

    def keep(self, home: Path) -> None:
        """Keep the database of a home that later tests use or copy."""

    def clean_up(self) -> Iterator[None]:
        """Remove, at the end of a test, what was made in it."""
        yield


class SqliteRows(Rows):
    equals = "IS"

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        self._connection = connection

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        return [dict(row) for row in self._connection.execute(sql, values)]

    def rowids(self, table: str) -> list[int]:
        return [row["place"] for row in self.execute(f"SELECT rowid AS place FROM {table}")]


class SqliteDatabases(Databases):
    """A file in the home."""

    def settings(self, home: Path) -> dict[str, str]:
        return {}

    def copy(self, source: Path, target: Path) -> None:
        pass

    @contextmanager
    def rows(self, home: Path) -> Iterator[Rows]:
        path = home / "strongroom.db"
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
            yield SqliteRows(connection)

    @contextmanager
    def no_writer(self, home: Path) -> Iterator[None]:
        with (home / "strongroom.db.lock").open("rb") as writers_place:
            fcntl.flock(writers_place, fcntl.LOCK_EX)
            yield


class PostgresqlRows(Rows):
    equals = "IS NOT DISTINCT FROM"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        connection.execute("SET session_replication_role = replica")
        for table, constraint in connection.cursor(row_factory=psycopg.rows.tuple_row).execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' "
            "AND connamespace = 'public'::regnamespace"
        ):
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')
        self._connection = connection

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        try:
            cursor = self._connection.execute(as_psycopg(sql), values)
        except (psycopg.DataError, psycopg.errors.DatatypeMismatch) as error:
            pytest.skip(f"the type of this column cannot hold the value ({error.sqlstate})")
        return cursor.fetchall() if cursor.description else []


class PostgresqlDatabases(Databases):
    """A database on a server that starts when it is first needed, and ends with this process."""

    def __init__(self) -> None:
        self._names: dict[Path, str] = {}
        self._kept: set[Path] = set()

    @cached_property
    def _server(self) -> PostgresqlServer:
        running = ExitStack()
        atexit.register(running.close)
        return running.enter_context(postgresql_server())

    def settings(self, home: Path) -> dict[str, str]:
        return {"STRONGROOM_DATABASE_URL": self._server.url(self._name(home))}

    def copy(self, source: Path, target: Path) -> None:
        template, name = self._name(source), self._names.get(target, "")
        if name:  # settings have its address
            self._server.drop_database(name)
        self._names[target] = self._server.create_database(template, name)

    @contextmanager
    def rows(self, home: Path) -> Iterator[Rows]:
        url = self._url_of_superuser(home)
        with closing(psycopg.connect(url, autocommit=True, row_factory=dict_row)) as connection:
            yield PostgresqlRows(connection)

    @contextmanager
    def no_writer(self, home: Path) -> Iterator[None]:
        with closing(psycopg.connect(self._url_of_superuser(home))) as connection:
            connection.execute(
                "LOCK TABLE secrets, stored_responses, gateway_uses IN SHARE ROW EXCLUSIVE MODE"
            )
            yield

    def _url_of_superuser(self, home: Path) -> str:
        return self._server.url(self._name(home), user="postgres")

    def keep(self, home: Path) -> None:
        self._kept.add(home)

    def clean_up(self) -> Iterator[None]:
        before = {*self._names}
        yield
        for home in self._names.keys() - before - self._kept:
            self._server.drop_database(self._names.pop(home))

    def _name(self, home: Path) -> str:
        if home not in self._names:
            self._names[home] = self._server.create_database()
        return self._names[home]


_KINDS = {"sqlite": SqliteDatabases, "postgresql": PostgresqlDatabases}
KINDS = tuple(_KINDS)

chosen: Databases = SqliteDatabases()


def choose(kind: str) -> None:
    """Make every deployment of this process have this kind of database."""
    global chosen  # noqa: PLW0603 - one choice for a whole run
    chosen = _KINDS[kind]()
