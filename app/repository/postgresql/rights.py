"""The rights of the roles that serve and that operate, on each table.

The roles are made by ``config/postgresql-roles.sql``. Each migration grants them their rights in
its own transaction, so that no table is ever without. A test derives the rights of the server from
the statements that it runs.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection

from app.repository.sql.tables import metadata

SERVER = "strongroom_server"
OPERATOR = "strongroom_operator"

VERSION = "alembic_version"

_READ = ("SELECT",)
_ADD = ("SELECT", "INSERT")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")

Rights = Mapping[str, tuple[str, ...]]

SERVER_RIGHTS: Rights = {
    VERSION: _READ,
    # A shared lock of the row needs the right to update one column; a CHECK nails this one to 1.
    "deployment": ("SELECT", 'UPDATE ("only")'),
    "accounts": _READ,
    "api_keys": _ALL,
    "data_keys": ("SELECT", "INSERT", "UPDATE"),
    "wrappings": ("SELECT", "INSERT"),
    "fences": _READ,
    "workers": _ALL,
    "secrets": _ALL,
    "secret_versions": _ALL,
    "stored_responses": _ALL,
    "injections": _ALL,
    "gateway_configs": _ALL,
    "gateway_tokens": _ALL,
    "gateway_uses": _ALL,
    "gateway_keys": _READ,
    "switches": _READ,
    "usage": ("SELECT", "INSERT", "UPDATE"),
    "leases": ("SELECT", "INSERT", "UPDATE"),
    "moves": _READ,
    # Never UPDATE or DELETE of what was recorded.
    "audit_lanes": ("SELECT", "INSERT", "UPDATE"),
    "audit_events": _ADD,
    "audit_blocks": _ADD,
    "audit_heads": _ADD,
    "audit_cuts": _READ,
    "audit_subjects": ("INSERT",),
}
"""Of the workers."""

OPERATOR_RIGHTS: Rights = {VERSION: _READ, **dict.fromkeys(metadata.tables, _ALL)}
"""Of the command: every row, and no table itself."""

_HAS_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '{}')"

_MISSING = b"""
SELECT wanted.privilege || ' on ' || wanted.relation
FROM unnest(%s::text[], %s::text[]) AS wanted (relation, privilege)
WHERE CASE wanted.privilege
    WHEN 'UPDATE' THEN NOT has_any_column_privilege(wanted.relation, 'UPDATE')
    ELSE NOT has_table_privilege(wanted.relation, wanted.privilege)
END
"""


def missing_rights(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the rights of a worker that the user lacks, as ``INSERT on secrets``."""
    asked = [
        (table, right.partition(" ")[0])
        for table, rights in SERVER_RIGHTS.items()
        for right in rights
    ]
    lacked = connection.execute(_MISSING, [[*each] for each in zip(*asked, strict=True)])
    return [text for (text,) in lacked.fetchall()]


def grant_rights(connection: Connection) -> None:
    """Give each role that exists its rights on all tables, and no others."""
    for role, granted in ((SERVER, SERVER_RIGHTS), (OPERATOR, OPERATOR_RIGHTS)):
        if not connection.exec_driver_sql(_HAS_ROLE.format(role)).scalar():
            continue
        for table, rights in granted.items():
            connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")
            connection.exec_driver_sql(f"GRANT {', '.join(rights)} ON {table} TO {role}")
