"""SQLite's failures in words for an operator: always with SQLite's own name, never with a value."""

import re

from app.domain.errors import Moved, RowRefused, StorageUnavailable
from app.repository.sql.driver.statements import cause_of

_RESTORE = "; put a backup back: strongroom restore FILE --replace"

# By the primary code of https://www.sqlite.org/rescode.html; the braces stand for the whole name.
_KINDS = {
    "SQLITE_FULL": "cannot be written, because the disk is full ({})",
    "SQLITE_IOERR": "cannot be read or written, because the disk fails ({})",
    "SQLITE_READONLY": "cannot be written, because it is read-only ({})",
    "SQLITE_CANTOPEN": "cannot be opened ({})",
    "SQLITE_CORRUPT": f"is damaged ({{}}){_RESTORE}",
    "SQLITE_NOTADB": f"is no database ({{}}){_RESTORE}",
    "SQLITE_BUSY": "is busy ({})",
}
_ABOUT_A_ROW = re.compile(r"^CHECK constraint failed in |^NULL value in |^\S+ value in ")


_MOVED = "SQLITE_CONSTRAINT_TRIGGER"  # no trigger is ever made but those of a closed database
_REFUSED_ROWS = frozenset(
    {
        *("SQLITE_CONSTRAINT_CHECK", "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_DATATYPE"),
        *("SQLITE_MISMATCH", "SQLITE_TOOBIG"),
    }
)


def translate(error: BaseException) -> StorageUnavailable:
    """Return our error for one of SQLite's, by its name alone."""
    cause = cause_of(error)
    if cause == _MOVED:
        return Moved()
    return RowRefused(cause) if cause in _REFUSED_ROWS else StorageUnavailable(cause)


def explain(cause: str | None) -> str:
    """One sentence about what ended in this cause: a name of SQLite's, or a sentence of ours."""
    if cause is None or not cause.startswith("SQLITE_"):
        return cause or "the database does not answer."
    kind = "_".join(cause.split("_")[:2])
    return f"the database {_KINDS.get(kind, 'cannot be used ({})').format(cause)}."


def is_damage(line: str) -> bool:
    """Return True if a line of ``PRAGMA quick_check`` is about the pages of the file.

    A row that breaks a constraint is reported where it is read; it does not stop the others.
    """
    return line != "ok" and not _ABOUT_A_ROW.search(line)
