"""The case of a kind of database, for the suite: opens one, and damages it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest
from sqlalchemy import Column

from app.repository.base import Database
from app.repository.connect import connect


class DatabaseCase(ABC):
    """One database, made for one test and empty at first.

    What it needs of pytest comes from ``request``: fixtures by ``getfixturevalue``, cleaning up by
    ``addfinalizer``.

    Attributes:
        has_one_writer: Units of work come one after the other.
    """

    has_one_writer: ClassVar[bool] = False

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address, as an operator writes it."""

    @abstractmethod
    def execute(self, sql: str, *parameters: object) -> None:
        """Run one statement as someone who can write to the database behind our back.

        Placeholders are question marks. No foreign key is checked.
        """

    @abstractmethod
    def loosen(self, table: str) -> None:
        """Drop all types, constraints and indexes of a table, as such a person can."""

    @classmethod
    def can_hold(cls, column: Column[Any], value: object) -> bool:  # noqa: ARG003 - any value
        """Return True if the column, loosened, can hold this value, whatever its type is."""
        return True

    def make(self) -> None:
        """Give it its tables. A kind may copy a database that has them."""
        self.connect().upgrade()

    def connect(self, *, operating: bool = False) -> Database:
        """The database as one more process would see it, closed after the test.

        Args:
            operating: True for a process of the operator, where the database knows roles. In a test
                that is marked ``operator``, every process is one.
        """
        database = connect(self.url)
        self.request.addfinalizer(database.close)
        return database

    def count_deadlocks(self) -> int:
        """Count the deadlocks that the database has ended so far; without locks there are none."""
        return 0
