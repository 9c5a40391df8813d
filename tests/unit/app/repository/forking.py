"""A process that forks while its database is open; both halves then read and write.

Usage: ``python -m tests.unit.app.repository.forking PATH BUSY``, where BUSY is the part of the
database that another thread uses during the fork: nothing, reader or writer. Ends with the child's
status: 0 when it wrote, 3 when it was refused.
"""

import os
import sys
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.repository.sqlite.database import SqliteDatabase
from tests.unit.app.repository.occupied import add, occupied

REFUSED = 3


def be_the_child(database: SqliteDatabase) -> None:
    """Write as far as one is let, and end."""
    try:
        add(database, 300)
    except StorageUnavailable:
        os._exit(REFUSED)
    os._exit(0)


def main(path: Path, busy: str) -> None:
    """Fork while ``busy`` is in use, and write in both halves at once."""
    database = SqliteDatabase(path)
    add(database, 100)
    with occupied(database, busy):
        child = os.fork()
        if not child:
            be_the_child(database)
    add(database, 200)
    _, status = os.waitpid(child, 0)
    add(database, 400)
    database.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
