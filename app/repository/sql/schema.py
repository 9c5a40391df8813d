"""Runs the migrations, and compares a database with them.

Alembic is imported where a migration may be missing: it would double the start of a process.
"""

from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0004.0002.0001_5"
"""The revision of the newest migration."""

ABANDONED = frozenset({"0001", "0001_2", "0001_3", "0001_4"})
"""Revisions of databases that were made before the first release and cannot be carried over."""


SURVIVED_BY = "."
"""Stands in a revision before the newest revision that the oldest code which survives it knows.

``0003.0002`` says: version 3 of the schema, on which code runs that knows version 2. So the row of
the version, which a migration replaces anyway, says it to code that knows no version 3.
"""


class SchemaAge(Enum):
    """The age of a database, by the migrations of this version.

    An expanded schema has more than this version knows, and lacks nothing.
    """

    CURRENT = auto()
    OLDER = auto()
    EXPANDED = auto()
    NEWER = auto()
    ABANDONED = auto()


USABLE = frozenset({SchemaAge.CURRENT, SchemaAge.EXPANDED})
"""The ages of databases that this version can serve."""

AGES = {
    SchemaAge.OLDER: "the database is not at the newest migration; run: strongroom db upgrade",
    SchemaAge.NEWER: "the database was made by a newer version of Strongroom.",
    SchemaAge.ABANDONED: (
        "the database was made before the first release and cannot be carried over; "
        "set it aside and run: strongroom init"
    ),
}
"""The fault of a database of each age, in words for an operator."""


def upgrade(connection: Connection) -> None:
    """Run every migration that is missing, in the connection's transaction."""
    from alembic import command  # noqa: PLC0415 - see the top

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def age(connection: Connection) -> SchemaAge:
    """Compare the database with the migrations; one without any table is older than all."""
    return age_of(_applied(connection))


def age_of(applied: set[str]) -> SchemaAge:
    """Compare the revisions that were applied with the migrations of this version."""
    if applied == {NEWEST}:
        return SchemaAge.CURRENT
    if applied & ABANDONED:
        return SchemaAge.ABANDONED
    known = revisions()
    if applied <= known:
        return SchemaAge.OLDER
    is_survived = all(oldest_code(each) in known for each in applied)
    return SchemaAge.EXPANDED if is_survived else SchemaAge.NEWER


def oldest_code(revision: str) -> str | None:
    """Return the newest revision of the oldest code that runs on a schema, if it is stated."""
    return revision.partition(SURVIVED_BY)[2] or None


def is_empty(connection: Connection) -> bool:
    """Return True if no migration was ever applied."""
    return not _applied(connection)


def revisions() -> set[str]:
    """The revisions of all migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see the top

    scripts = ScriptDirectory.from_config(_config())
    return {script.revision for script in scripts.walk_revisions()}


def _applied(connection: Connection) -> set[str]:
    """The revisions that Alembic has recorded in the database."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see the top

    config = Config()
    config.set_main_option("script_location", "app.repository:migrations")
    return config
