"""The check of a PostgreSQL server: everything that could keep workers from serving on it.

Only what the server says of itself is read, by the user that serves. No text of the server's is
repeated: its messages hold addresses and rows.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg

from app.domain.operations.findings import Findings
from app.domain.operations.workers import LIVE_S
from app.repository.postgresql.address import Address
from app.repository.postgresql.connection_faults import explain_connecting
from app.repository.postgresql.connections import (
    SESSION_SETTINGS,
    BoundedConnection,
    connect,
    connect_to_migrate,
)
from app.repository.postgresql.failures import explain
from app.repository.postgresql.options import ServerOptions
from app.repository.postgresql.rights import missing_rights
from app.repository.sql.driver.statements import cause_of
from app.repository.sql.schema import AGES, USABLE, SchemaAge, age_of

OLDEST = 14
"""The oldest major version of PostgreSQL that is supported."""

RESERVE = 10
"""Connections beside those of workers: commands, migrations, and the operator's own tools."""

ROLES = "config/postgresql-roles.sql"

_LOOK_S = 5  # for one statement of a look at the address for migrations

_EXPECTED = {"standard_conforming_strings": "on", "server_encoding": "UTF8"}
_UNSAFE = {
    "fsync": "the server's fsync is off: what was acknowledged is lost when its machine stops.",
    "full_page_writes": (
        "the server's full_page_writes is off: a page that was half written stays damaged."
    ),
    "synchronous_commit": (
        "the server's synchronous_commit is off: what was acknowledged last is lost when it stops."
    ),
}


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a server: its session, and what is found.

    Attributes:
        connection: In a session as workers have it.
        address: Names the setting.
        options: The operator's choices.
        findings: Filled.
    """

    connection: BoundedConnection
    address: Address
    options: ServerOptions
    findings: Findings

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...]:
        """Return the first row of a statement."""
        row: tuple[Any, ...] = self.rows(sql, *parameters)[0]
        return row

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        return self.connection.execute(sql.encode(), parameters or None).fetchall()

    def refuse(self, sentence: str) -> None:
        """Note a fault of the setting."""
        self.findings.refuse(f"{self.address.setting}: {sentence}")

    def warn(self, sentence: str) -> None:
        """Note what needs attention."""
        self.findings.warn(f"{self.address.setting}: {sentence}")


def look_at_server(
    address: Address, options: ServerOptions, migration_address: Address | None = None
) -> Findings:
    """Connect as a worker does, and look at the server, the session, the role and the tables.

    Args:
        address: The place of the database.
        options: The operator's choices.
        migration_address: The address that migrations use, if another. A server serves without it,
            so what is wrong with it is a warning.
    """
    findings = Findings()
    _look_at_files(address, options, findings)
    try:
        connection = connect(address, pooler=options.pooler)
    except psycopg.Error as error:
        findings.refuse(f"{address.setting}: {explain_connecting(error)}")
        return findings
    look = _Look(connection, address, options, findings)
    try:
        for part in _PARTS:
            part(look)
    except psycopg.Error as error:
        look.refuse(explain(cause_of(error)))
    finally:
        connection.close()
    if migration_address is not None:
        _look_at_migrations(migration_address, findings)
    return findings


def _look_at_files(address: Address, options: ServerOptions, findings: Findings) -> None:
    """Hold the files that the address names to the rule of every file that a setting names."""
    read = options.files
    rules = {
        "sslrootcert": read.read_bundle,
        "sslcert": read.read_trusted,
        "sslcrl": read.read_trusted,
        "sslkey": read.read_private,
        "passfile": read.read_private,
    }
    for name, path in address.files().items():
        try:
            rules[name](path)
        except ValueError as fault:
            findings.refuse(f"{address.setting}: {name}= the file {fault}.")


def _look_at_version(look: _Look) -> None:
    version = look.connection.info.server_version
    tls = "TLS" if look.connection.pgconn.ssl_in_use else "no TLS"
    look.findings.saw("database", f"PostgreSQL {version // 10000}.{version % 10000}, {tls}")
    if version < OLDEST * 10000:
        look.refuse(f"PostgreSQL must be version {OLDEST} or newer.")


def _look_at_session(look: _Look) -> None:
    shown = _settings(look, *SESSION_SETTINGS, *_EXPECTED)
    if shown["server_encoding"] != _EXPECTED["server_encoding"]:
        look.refuse("the database must have the encoding UTF8; make it again.")
    if shown["standard_conforming_strings"] != _EXPECTED["standard_conforming_strings"]:
        look.refuse("standard_conforming_strings is off, for this user or all; set it on.")
    differing = [name for name, value in SESSION_SETTINGS.items() if shown[name] != value]
    if differing:
        look.refuse(
            f"not in force in our sessions: {', '.join(differing)}; set them for the user, "
            f"by ALTER ROLE as in {ROLES}."
        )


def _settings(look: _Look, *names: str) -> Mapping[str, str]:
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    return dict(zip(names, look.row(f"SELECT {asked}"), strict=True))


def _look_at_place(look: _Look) -> None:
    if look.row("SELECT pg_is_in_recovery()")[0]:
        look.refuse("the server is a replica; name the primary, or all nodes of the cluster.")


def _look_at_durability(look: _Look) -> None:
    shown = _settings(look, *_UNSAFE, "synchronous_standby_names")
    for name, sentence in _UNSAFE.items():
        if shown[name] == "off":
            look.warn(sentence)
    if not shown["synchronous_standby_names"]:
        look.warn(
            "the server's synchronous_standby_names is empty: a fail-over loses what was "
            "acknowledged last."
        )


def _look_at_role(look: _Look) -> None:
    *attributes, makes, owns = look.row(
        "SELECT rolsuper, rolbypassrls, rolreplication, rolcreaterole, "
        "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), "
        "EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND pg_has_role(relowner, 'USAGE')) "
        "FROM pg_roles WHERE rolname = current_user"
    )
    named = ("SUPERUSER", "BYPASSRLS", "REPLICATION", "CREATEROLE")
    has = [name for name, given in zip(named, attributes, strict=True) if given]
    if has:
        look.refuse(f"the user must not have {', '.join(has)}; use a role of {ROLES}.")
    elif makes or owns:
        look.warn(f"the user may change the tables themselves; let a role of {ROLES} serve.")


def _look_at_schema(look: _Look) -> None:
    (table,) = look.row("SELECT to_regclass('alembic_version')")
    applied = look.rows("SELECT version_num FROM alembic_version") if table else []
    age = age_of({each for (each,) in applied})
    if age not in USABLE:
        look.refuse(AGES[age])
        return
    if age is SchemaAge.EXPANDED:
        look.findings.saw("schema", "expanded by a newer version")
    missing = missing_rights(look.connection)
    if missing:
        look.refuse(f"the user lacks {', '.join(missing)}; run {ROLES} again.")


def _look_at_connections(look: _Look) -> None:
    """Compare the connections of this node with those that the server permits."""
    if look.options.pooler:
        return
    available = _available_connections(look)
    workers, each = look.options.workers, look.options.connections
    needed = workers * each * 2 + RESERVE
    facts = f"2 * {workers} workers * {each} + {RESERVE} = {needed} connections"
    look.findings.saw("database connections", f"{facts} for each node, {available} permitted")
    if needed > available:
        look.findings.refuse(
            f"STRONGROOM_DATABASE_CONNECTIONS: a node needs {facts}, and the server permits "
            f"{available}; raise its max_connections, or lower the setting or STRONGROOM_WORKERS."
        )


def _look_at_all_nodes(look: _Look) -> None:
    """Warn if the workers of all nodes that are live now need more than the server permits.

    It is no fault: while a node reloads, its workers of before and after are both live, and another
    node must be able to start then.
    """
    if look.options.pooler or not look.row(_MAY_COUNT_WORKERS)[0]:
        return
    host, live_ms = socket.gethostname(), int(LIVE_S * 1000)
    elsewhere, here = look.row(_LIVE_WORKERS, host, host, live_ms)
    workers, each = elsewhere + max(here, look.options.workers), look.options.connections
    if workers == look.options.workers:
        return
    available, needed = _available_connections(look), workers * each * 2 + RESERVE
    facts = f"2 * {workers} workers * {each} + {RESERVE} = {needed} connections"
    look.findings.saw("database connections of all nodes", f"{facts}, {available} permitted")
    if needed > available:
        look.findings.warn(
            f"STRONGROOM_DATABASE_CONNECTIONS: the workers of all nodes need {facts}, if each has "
            f"this setting, and the server permits {available}; raise its max_connections, or "
            "lower the setting."
        )


def _available_connections(look: _Look) -> int:
    """Return the smallest limit: of the server, of the database, and of the role."""
    (available,) = look.row(
        "SELECT least(current_setting('max_connections')::int "
        "- current_setting('superuser_reserved_connections')::int "
        "- coalesce(current_setting('reserved_connections', true), '0')::int, "
        "(SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()), "
        "(SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user))"
    )
    return int(available)


def _look_at_migrations(address: Address, findings: Findings) -> None:
    try:
        with closing(connect_to_migrate(address, _LOOK_S)) as connection:
            (may_change,) = connection.execute(_MAY_CHANGE).fetchone() or (False,)
    except psycopg.Error as error:
        findings.warn(f"{address.setting}: {explain_connecting(error)}")
        return
    if not may_change:
        findings.warn(
            f"{address.setting}: the user may not make tables; name the owner of {ROLES}."
        )


_MAY_COUNT_WORKERS = "SELECT coalesce(has_table_privilege(to_regclass('workers'), 'SELECT'), false)"
_LIVE_WORKERS = """
SELECT count(*) FILTER (WHERE split_part(node, '/', 1) <> %s),
    count(*) FILTER (WHERE split_part(node, '/', 1) = %s)
FROM workers
WHERE abs(extract(epoch FROM clock_timestamp()) * 1000 - seen_at_ms) <= %s
"""
_MAY_CHANGE = b"SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"

_PARTS: tuple[Callable[[_Look], None], ...] = (
    _look_at_version,
    _look_at_session,
    _look_at_place,
    _look_at_durability,
    _look_at_role,
    _look_at_connections,
    _look_at_schema,
    _look_at_all_nodes,
)
