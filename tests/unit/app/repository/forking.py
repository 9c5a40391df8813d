"""A process that forks while its database is open; both halves then read and write.

Usage: ``python -m tests.unit.app.repository.forking PATH BUSY``, where BUSY is the part of the
database that another thread uses during the fork: nothing, reader or writer. Ends with the child's
status: 0 when it wrote, 3 when it was refused.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretRef
from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows

REFUSED = 3


def add(database: SqliteDatabase, first: int) -> None:
    """Add ten secrets, each in a transaction of its own, and read them back."""
    for number in range(first, first + 10):
        with database.writing() as work:
            work.secrets.add(rows.secret(number))
            work.commit()
        with database.reading() as repository:
            assert (
                repository.secrets.view(rows.OURS, SecretRef.by_name(f"NAME_{number}")) is not None
            )


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
    uses: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "nothing": nullcontext,
        "reader": database.reading,
        "writer": database.writing,
    }
    is_used, may_end = threading.Event(), threading.Event()

    def occupy() -> None:
        with uses[busy]():
            is_used.set()
            may_end.wait(30)

    thread = threading.Thread(target=occupy)
    thread.start()
    is_used.wait(30)
    child = os.fork()
    if not child:
        be_the_child(database)
    may_end.set()
    add(database, 200)
    thread.join()
    _, status = os.waitpid(child, 0)
    add(database, 400)
    database.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
