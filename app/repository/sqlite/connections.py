"""Engines whose connections have every setting in force, on files that only we can see."""

import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect

from app.domain.errors import StorageUnavailable
from app.domain.operations.system_errors import name_of
from app.repository.sql.driver.statements import attempt, cause_of
from app.repository.sqlite.disk import files
from app.repository.sqlite.settings import SettingNotInForce, open_reader, open_writer

T = TypeVar("T")

# The driver looks for each name from the start of the text, at each run. With names, inserting a
# row of 15 columns costs 1.6 times as much.
_PARAMSTYLE = "qmark"


def reading_engine(path: Path) -> Engine:
    """Connections that cannot write, and hold no transaction between statements."""
    return _engine(path, open_reader).execution_options(isolation_level="AUTOCOMMIT")


def writing_engine(path: Path) -> Engine:
    """Connections that can write, in transactions that whoever holds them begins."""
    return _engine(path, open_writer)


@cache
def statements_dialect() -> Dialect:
    """The dialect of statements on every file: a process compiles each of them once."""
    make: Callable[..., Dialect] = SQLiteDialect_pysqlite
    return make(dbapi=sqlite3, paramstyle=_PARAMSTYLE)


def open_connection(engine: Engine) -> Connection:
    """A new connection.

    Raises:
        StorageUnavailable: There is no database, it is unsafe, or a setting is not in force.
    """
    return available(lambda: attempt(engine.connect))


def available(call: Callable[[], T]) -> T:
    """Call, and translate what SQLite, the system or our own checks refuse.

    Raises:
        StorageUnavailable: With a name or a sentence that holds no value. It is raised outside the
            handler, as in ``attempt``.
    """
    try:
        return call()
    except sqlite3.Error as error:
        cause = cause_of(error)
    except OSError as error:
        cause = name_of(error)
    except (SettingNotInForce, files.UnsafeFiles) as fault:
        cause = str(fault)
    raise StorageUnavailable(cause)


def _engine(path: Path, opener: Callable[[Path], sqlite3.Connection]) -> Engine:
    def create() -> sqlite3.Connection:
        files.require_safe(path)
        return opener(path)

    # No pool: connections belong to those who use them.
    return create_engine(
        "sqlite://",
        creator=create,
        poolclass=NullPool,
        hide_parameters=True,
        paramstyle=_PARAMSTYLE,
    )
