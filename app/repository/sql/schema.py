"""Runs the migrations, and compares a database with them."""

from enum import Enum, auto

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

ABANDONED = frozenset({"0001", "0001_2"})
"""Revisions of databases that were made before the first release and cannot be carried over."""


class SchemaAge(Enum):
    """The age of a database, by the migrations of this version."""

    CURRENT = auto()
    OLDER = auto()
    NEWER = auto()
    ABANDONED = auto()


def upgrade(connection: Connection) -> None:
    """Run every migration that is missing, in the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def age(connection: Connection) -> SchemaAge:
    """Compare the database with the migrations; one without any table is older than all."""
    scripts = ScriptDirectory.from_config(_config())
    applied = set(MigrationContext.configure(connection).get_current_heads())
    if applied == set(scripts.get_heads()):
        return SchemaAge.CURRENT
    if applied & ABANDONED:
        return SchemaAge.ABANDONED
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaAge.OLDER if applied <= known else SchemaAge.NEWER


def is_empty(connection: Connection) -> bool:
    """Return True if no migration was ever applied."""
    return not MigrationContext.configure(connection).get_current_heads()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "app.repository:migrations")
    return config
