"""The migrations make exactly the tables that the statements are written for."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from app.repository.sql import schema
from app.repository.sql.tables import metadata
from app.repository.sqlite.database import SqliteDatabase

CHECK = """
import sys
from pathlib import Path
from app.repository.sqlite.database import SqliteDatabase
assert SqliteDatabase(Path(sys.argv[1])).check().faults == []
assert "alembic" not in sys.modules
"""


def schema_of(path: Path) -> dict[str, str]:
    """The statement that made each table and index, all white space alike."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: " ".join(sql.split()) for name, sql in made if name != "alembic_version"}


def test_migrations_leave_nothing_to_generate(database: SqliteDatabase, path: Path) -> None:
    database.close()
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrations_and_tables_say_the_same_in_sql(
    database: SqliteDatabase, path: Path, tmp_path: Path
) -> None:
    database.close()
    engine = create_engine(f"sqlite:///{tmp_path / 'from-tables.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(path) == schema_of(tmp_path / "from-tables.db")


def test_the_newest_revision_is_that_of_the_last_migration(
    database: SqliteDatabase, path: Path
) -> None:
    database.close()
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (schema.NEWEST,)


def test_a_current_database_is_recognised_without_alembic(
    database: SqliteDatabase, path: Path
) -> None:
    subprocess.run([sys.executable, "-c", CHECK, path], check=True)


def test_every_table_is_strict(database: SqliteDatabase, path: Path) -> None:
    database.close()
    made = schema_of(path)
    assert all(made[table].endswith("STRICT") for table in metadata.tables)


def test_every_key_begins_with_the_account() -> None:
    # Accounts are their own; these others are nobody's.
    others = {"deployment", "accounts", "fences", "leases", "moves", "workers"}
    others |= {"gateway_keys", "switches", "audit_heads", "audit_cuts"}
    firsts = {
        table.name: next(iter(table.primary_key.columns)).name
        for table in metadata.sorted_tables
        if table.name not in others
    }
    assert set(firsts.values()) == {"account_id"}
