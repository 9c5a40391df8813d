"""Numbers transactions where a generation of the log begins and ends, and none between.

A *generation* of the log begins when SQLite writes it from its start again, once the database file
holds everything in it. By the numbers, ``is_own_log`` must tell that file from all copies that were
made earlier, also in the middle of the generation before::

    generation         1                    2
    number             S1 S1 S1 ... S1 E1   E2 S2 S2 ... S2 E3   ...

- an odd number is *final* (E): exactly one state of the database has it;
- an even number (S) is shared with the transactions that follow, which then write none;
- our connections move the log into the file only when its last transaction has a final number.
  SQLite does so by itself when the last connection is closed, and another program may. A generation
  that began over a shared number is therefore ended by the first transaction that finds it.

Everything is read from the log, which SQLite does not lock. The header of the log differs in each
generation, and each frame repeats its salts (https://www.sqlite.org/fileformat2.html). The index of
the log (``-shm``) is never opened: closing it would free the locks that SQLite holds on it.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.domain.operations.system_errors import name_of
from app.repository.sql.driver.statements import cause_of
from app.repository.sqlite.connections import available
from app.repository.sqlite.disk.files import log_of
from app.repository.sqlite.disk.log_number import (
    NUMBER,
    commit_final_number,
    frames,
    renumber,
)

FULL_FRAMES = 1000
"""From so many on a log is moved into the file, as SQLite itself would."""

_HEADER_BYTES = 32
_PAGE_BYTES, _SALTS = slice(8, 12), slice(16, 24)
_FRAME_HEADER_BYTES, _SALTS_IN_FRAME = 24, 8


class Numbering:
    """Begins the transactions of one connection. Only the thread with the writer's place uses it.

    Args:
        connection: One that can write, and that does not move the log on its own.
        log: A descriptor of its log, for reading; it is closed with this.
    """

    def __init__(self, connection: sqlite3.Connection, log: int) -> None:
        self.connection = connection
        self._log = log
        self._header: bytes | None = None
        self._full_at = 0
        self._is_full = False

    def begin(self) -> None:
        """Begin a transaction, with a number if it needs one.

        Raises:
            StorageUnavailable: The database refused, or the log cannot be read.
        """
        try:
            self._begin_numbered()
        except sqlite3.Error as error:
            cause = cause_of(error)
        except OSError as error:
            cause = name_of(error)
        else:
            return
        raise StorageUnavailable(cause)

    def end(self) -> None:
        """Move the log into the file if it is full; the transaction was committed."""
        # Whatever fails is tried again after the next transaction, as SQLite itself does.
        with suppress(sqlite3.Error, OSError):
            if self._is_new_generation():
                if not self._began_over_final():
                    self._end_generation()
            elif self._is_full:
                self._move_log()

    def close(self) -> None:
        """Close the log, which frees no lock."""
        os.close(self._log)

    def _begin_numbered(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        if self._is_new_generation() and not self._began_over_final():
            self.connection.execute("ROLLBACK")
            self._end_generation()
            self.connection.execute("BEGIN IMMEDIATE")
            self._is_new_generation()
        number = self._number()
        self._is_full = self._has_full_log()
        if self._is_full or _is_final(number):
            renumber(self.connection.execute, final=self._is_full)

    def _number(self) -> int:
        ((number,),) = self.connection.execute(f"PRAGMA {NUMBER}")
        return int(number)

    def _is_new_generation(self) -> bool:
        """Look at the header of the log. Returns whether it has changed since the last look."""
        header = os.pread(self._log, _HEADER_BYTES, 0)
        if header == self._header:
            return False
        self._header = header
        page_bytes = int.from_bytes(header[_PAGE_BYTES])
        frames_before = (FULL_FRAMES - 1) * (_FRAME_HEADER_BYTES + page_bytes)
        self._full_at = _HEADER_BYTES + frames_before + _SALTS_IN_FRAME
        return True

    def _has_full_log(self) -> bool:
        assert self._header is not None  # noqa: S101 - was looked at
        salts = self._header[_SALTS]
        return bool(salts) and os.pread(self._log, len(salts), self._full_at) == salts

    def _began_over_final(self) -> bool:
        first = next(frames(self._log), None)
        return first is not None and _is_final(first[0])

    def _end_generation(self) -> None:
        if not _is_final(self._number()):
            commit_final_number(self.connection.execute)
        self._move_log()

    def _move_log(self) -> None:
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def open_numbering(connection: sqlite3.Connection, path: Path) -> Numbering:
    """Return the numbering of a connection to the database at ``path``, which has a log.

    Raises:
        StorageUnavailable: The log cannot be opened.
    """
    log = available(lambda: os.open(log_of(path), os.O_RDONLY | os.O_CLOEXEC))
    return Numbering(connection, log)


def _is_final(number: int) -> bool:
    """Return whether only one state of the database has this number."""
    return bool(number & 1)
