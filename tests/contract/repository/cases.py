"""The kinds of database that the suite runs on, one case each.

To add one, write ``<kind>_case.py`` with a subclass of ``DatabaseCase`` and add the row. What only
this kind does is tested in ``tests/unit/app/repository/``.
"""

from tests.contract.repository.case import DatabaseCase
from tests.contract.repository.postgresql_case import PostgresqlCase
from tests.contract.repository.sqlite_case import SqliteCase

CASES: dict[str, type[DatabaseCase]] = {"sqlite": SqliteCase, "postgresql": PostgresqlCase}
