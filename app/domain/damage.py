"""Rows that are not what the server wrote: named by table and id, shown without their contents."""

import re
from dataclasses import dataclass

# What was stored may be any text: one that could mislead a terminal or a log is not shown.
_SHOWABLE = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """The table and ids of a damaged row.

    Attributes:
        account_id: ``None`` where the table has none, or what is stored is not shaped like an id.
        id: The same of the row's own id.
    """

    table: str
    account_id: str | None
    id: str | None

    @classmethod
    def at(cls, table: str, account_id: object, row_id: object) -> "DamagedRow":
        """Name a row by what is stored of it, which may be anything."""
        return cls(table, _showable(account_id), _showable(row_id))

    def __str__(self) -> str:
        row = "a row" if self.id is None else f"the row {self.id}"
        owner = "" if self.account_id is None else f" (account {self.account_id})"
        return f"{row} of {self.table}{owner}"


def _showable(stored: object) -> str | None:
    return stored if isinstance(stored, str) and _SHOWABLE.fullmatch(stored) else None
