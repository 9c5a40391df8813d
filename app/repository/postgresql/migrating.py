"""Migrates the schema while servers serve, and while other nodes may do the same.

All that is missing is done in one transaction, or none of it. The first statement takes a lock that
belongs to migrations alone, so the second of two nodes waits, and then finds nothing to do. A lock
on a table is waited for briefly, since every statement that comes after it waits behind it. Then
the whole transaction is given up, and tried again a little later.
"""

import random
import time
from contextlib import closing
from functools import partial

import psycopg
from sqlalchemy import Connection, NullPool, create_engine

from app.domain.errors import StorageUnavailable
from app.repository.base import DatabaseMisconfigured
from app.repository.postgresql.address import MIGRATION_SETTING, Address
from app.repository.postgresql.connection_faults import explain_connecting
from app.repository.postgresql.connections import connect_to_migrate
from app.repository.postgresql.failures import explain
from app.repository.postgresql.rights import grant_rights
from app.repository.sql import schema
from app.repository.sql.driver.statements import attempt
from app.repository.sql.schema import AGES, SchemaAge

PATIENCE_S = 60.0
"""Seconds for which a migration waits for its locks, all in all."""

_PAUSE_S = (0.2, 1.0)
_BUSY = frozenset({"55P03", "40P01"})  # a lock not available in time, a deadlock

_NOT_OURS = frozenset({"42501", "25006"})  # no right, a role whose sessions are read-only

_OWNER = (
    "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'alembic_version'::regclass"
)

# The key of an advisory lock, chosen at random.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7310579803270635108)"


def upgrade(address: Address) -> None:
    """Make the tables where there are none, and bring them to the newest migration.

    Raises:
        DatabaseMisconfigured: It cannot be done; the message names the setting.
    """
    end = time.monotonic() + PATIENCE_S
    while (cause := _try_upgrade(address)) in _BUSY:
        if time.monotonic() > end:
            raise DatabaseMisconfigured(
                f"{address.setting}: the tables are locked by other transactions; "
                "end them, and run it again. Nothing was changed."
            )
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
    if cause in _NOT_OURS:
        raise DatabaseMisconfigured(
            f"{address.setting}: the user may not change the tables; name one that owns them in "
            f"{MIGRATION_SETTING}."
        )
    if cause is not None:
        raise DatabaseMisconfigured(f"{address.setting}: {explain(cause)}")


def _try_upgrade(address: Address) -> str | None:
    """Migrate in one transaction. Returns the SQLSTATE of a failure, or what stands for it."""
    connection = _connect(address)
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        with closing(attempt(engine.connect)) as opened:
            attempt(partial(_migrate, opened, address.setting))
    except StorageUnavailable as error:
        return error.cause or "the connection was lost; run it again."
    finally:
        connection.close()
    return None


def _connect(address: Address) -> "psycopg.Connection[object]":
    try:
        return connect_to_migrate(address)
    except psycopg.Error as error:
        fault = explain_connecting(error)
    # Outside the handler: the driver's error names the address.
    raise DatabaseMisconfigured(f"{address.setting}: {fault}")


def _migrate(connection: Connection, setting: str) -> None:
    with connection.begin():
        connection.exec_driver_sql(_ONE_AT_A_TIME)
        age = schema.age(connection)
        if age in {SchemaAge.NEWER, SchemaAge.ABANDONED}:
            raise DatabaseMisconfigured(f"{setting}: {AGES[age]}")
        if age is SchemaAge.EXPANDED or (age is SchemaAge.CURRENT and not _owns(connection)):
            return
        if age is SchemaAge.OLDER:
            schema.upgrade(connection)
        grant_rights(connection)


def _owns(connection: Connection) -> bool:
    """Return True if the user owns the tables: nobody else can grant rights on them."""
    return bool(connection.exec_driver_sql(_OWNER).scalar())
