"""The number that ties a write-ahead log to its database file.

SQLite applies any valid log that it finds beside a database. After a crash the log holds what was
written last; if somebody then copies a backup over the database, the log of the old one undoes the
backup or destroys it. So a log of another database must be recognised before SQLite opens it:

- transactions of ours write a new random number, and the one before it, into the header of the
  database (``application_id`` and ``user_version``, which nothing else here uses). Few need one:
  ``numbering`` says which;
- so the number in the database file itself is that of its newest transaction that the log need not
  repeat: it is among those in the log, or it is the one before the first of them;
- a backup has the number 0, which no log continues. It gets one when it is opened without a log.

Both formats are described in https://www.sqlite.org/fileformat2.html.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

from app.repository.sqlite.disk.files import SETTING, UnsafeFiles, log_of

NO_NUMBER = 0
NUMBER, NUMBER_BEFORE = "application_id", "user_version"

Execute = Callable[[str], Iterable[Sequence[Any]]]
"""Runs one statement on a connection that can write. Returns its rows."""

_EVEN_NUMBERS = 0x3FFFFFFF  # above 0, in a signed number of 32 bits
_LOG_HEADER = Struct(">8I")
_MAGIC_NUMBERS = {0x377F0682, 0x377F0683}
_FRAME_HEADER = Struct(">6I")
_PAGE_HEADER_BYTES = 100
_NUMBER_BEFORE_AT, _NUMBER_AT = 60, 68
_PAGE_BYTES = range(512, 65537)


class ForeignLog(UnsafeFiles):
    """The log beside the database is not the database's own."""

    def __init__(self) -> None:
        super().__init__(
            f"{SETTING}: the write-ahead log beside the database (its name ends in -wal) belongs to"
            " another database, as when a backup was copied over the database. Nothing was changed."
            " To put a backup back, run: strongroom restore FILE --replace"
        )


def new_number(*, final: bool) -> int:
    """Return a random number that a header can hold, not 0: odd if it is final, else even."""
    return (int.from_bytes(os.urandom(4)) % _EVEN_NUMBERS + 1) * 2 - final


def renumber(execute: Execute, *, final: bool) -> None:
    """Give the transaction in progress a number."""
    ((before,),) = execute(f"PRAGMA {NUMBER}")
    execute(f"PRAGMA {NUMBER_BEFORE} = {before}")
    execute(f"PRAGMA {NUMBER} = {new_number(final=final)}")


def commit_final_number(execute: Execute) -> None:
    """Commit a transaction that changes only the number, after which the log may be moved."""
    execute("BEGIN IMMEDIATE")
    renumber(execute, final=True)
    execute("COMMIT")


def number_of(path: Path) -> int:
    """Read the number in the database file itself, without its log.

    SQLite reads it, since closing a file of our own would free the locks that SQLite holds on it
    for this process (https://www.sqlite.org/howtocorrupt.html).

    Raises:
        sqlite3.Error: The file cannot be read, or is no database.
    """
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        # A crash while pages moved from the log may leave the file shorter than its header says.
        # Only to who could repair the schema SQLite shows such a file without its log.
        connection.execute("PRAGMA writable_schema = ON").close()
        ((number,),) = connection.execute(f"PRAGMA {NUMBER}")
        return int(number)


def is_own_log(path: Path) -> bool:
    """Return True if there is no log beside the database, or if it continues this file.

    The answer is final only if the caller keeps all writers out. A log without a number was written
    by another program, and is believed unless the database is a backup.

    Raises:
        sqlite3.Error: The database cannot be read.
    """
    log = _read(log_of(path))
    if not log.has_frames:
        return True
    number = number_of(path)
    return number != NO_NUMBER and (not log.continues or number in log.continues)


@dataclass(frozen=True, slots=True)
class _Log:
    """The content of a log.

    Attributes:
        has_frames: Whether there is anything to apply.
        continues: The numbers that a database file of this log may have.
    """

    has_frames: bool
    continues: frozenset[int]


def _read(log: Path) -> _Log:
    try:
        file = log.open("rb", buffering=0)
    except FileNotFoundError:
        return _Log(has_frames=False, continues=frozenset())
    with file:
        found = list(frames(file.fileno()))
    numbered = [numbers for numbers in found if numbers is not None]
    continues = {number for _, number in numbered} | {before for before, _ in numbered[:1]}
    return _Log(bool(found), frozenset(continues))


def frames(log: int) -> Iterator[tuple[int, int] | None]:
    """For each frame the number before and the number, or ``None`` if it is not of page 1."""
    header = os.pread(log, _LOG_HEADER.size, 0)
    if len(header) < _LOG_HEADER.size:
        return
    magic, _, page_bytes, _, *salts = _LOG_HEADER.unpack(header)[:6]
    if magic not in _MAGIC_NUMBERS or page_bytes not in _PAGE_BYTES:
        return
    place, needed = _LOG_HEADER.size, _FRAME_HEADER.size + _PAGE_HEADER_BYTES
    # Frames of a generation before the log was begun again have other salts.
    while len(frame := os.pread(log, needed, place)) == needed:
        page, _, *found = _FRAME_HEADER.unpack_from(frame)[:4]
        if found != salts:
            return
        yield _numbers(frame[_FRAME_HEADER.size :]) if page == 1 else None
        place += _FRAME_HEADER.size + page_bytes


def _numbers(page: bytes) -> tuple[int, int]:
    before, number = (
        int.from_bytes(page[at : at + 4], signed=True) for at in (_NUMBER_BEFORE_AT, _NUMBER_AT)
    )
    return before, number
