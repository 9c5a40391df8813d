"""SQLite: a file of its own for each test."""

import shutil
import sqlite3
from contextlib import closing
from functools import cached_property
from pathlib import Path

from tests.contract.repository.case import DatabaseCase


class SqliteCase(DatabaseCase):
    """A file in a directory that does not exist yet."""

    has_one_writer = True

    @cached_property
    def path(self) -> Path:
        """The database file."""
        directory: Path
        if self.request.scope == "function":
            directory = self.request.getfixturevalue("tmp_path")
        else:
            directory = self.request.getfixturevalue("tmp_path_factory").mktemp("sqlite")
        return directory / "home" / "strongroom.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def make(self) -> None:
        self.path.parent.mkdir(mode=0o700)
        shutil.copy(self.request.getfixturevalue("migrated_file"), self.path)

    def execute(self, sql: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, parameters)

    def loosen(self, table: str) -> None:
        self._loosen_what_refers_to(table)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
            connection.execute(f"DROP TABLE {table}")
            connection.execute("PRAGMA legacy_alter_table = ON")
            connection.execute(f"ALTER TABLE loose RENAME TO {table}")

    def _loosen_what_refers_to(self, table: str) -> None:
        """Drop the foreign keys of the old versions, as PostgreSQL does by CASCADE.

        SQLite refuses each deletion in a table that is referred to and has lost its key.
        """
        if table == "secrets":
            self.loosen("secret_versions")
