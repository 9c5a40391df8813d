"""The rights of the role that serves, and the comparison with those that it has.

They are granted in ``config/postgresql-roles.sql``. Tests derive them from the statements.
"""

from typing import Any

import psycopg

_READS = ("SELECT",)
_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE")

SERVER_RIGHTS: dict[str, tuple[str, ...]] = {
    "alembic_version": _READS,
    "deployment": ("SELECT", "UPDATE"),
    "accounts": ("SELECT", "INSERT", "UPDATE"),
    "api_keys": _WRITES,
    "data_keys": ("SELECT", "INSERT", "UPDATE"),
    "wrappings": ("SELECT", "INSERT", "DELETE"),
    "fences": _READS,
    "workers": _WRITES,
    "secrets": _WRITES,
    "stored_responses": _WRITES,
    "injections": _WRITES,
    "usage": _WRITES,
    "leases": _WRITES,
}
"""For each table."""

_MISSING = b"""
SELECT wanted.privilege || ' on ' || wanted.relation
FROM unnest(%s::text[], %s::text[]) AS wanted (relation, privilege)
WHERE CASE wanted.privilege
    WHEN 'UPDATE' THEN NOT has_any_column_privilege(wanted.relation, 'UPDATE')
    ELSE NOT has_table_privilege(wanted.relation, wanted.privilege)
END
"""


def missing_rights(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the rights that the user of a connection lacks, as ``INSERT on secrets``."""
    asked = [(table, right) for table, rights in SERVER_RIGHTS.items() for right in rights]
    lacked = connection.execute(_MISSING, [[*each] for each in zip(*asked, strict=True)])
    return [text for (text,) in lacked.fetchall()]
