"""A process that forks while its database is open; both halves then read and write.

Usage: ``python -m tests.unit.app.repository.postgresql.forking URL BUSY``, where BUSY is what
another thread does during the fork: nothing, reader or writer. Ends with 0 if both halves wrote,
and if the parent's sessions are those that it had before.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from app.domain.secrets import SecretRef
from app.repository.postgresql.database import PostgresqlDatabase
from tests.contract.repository import rows
from tests.unit.app.repository.postgresql.conftest import open_database


def add(database: PostgresqlDatabase, first: int) -> None:
    """Add ten secrets, each in a transaction of its own, and read them back."""
    for number in range(first, first + 10):
        with database.writing() as work:
            work.secrets.add(rows.secret(number))
            work.commit()
        with database.reading() as repository:
            assert repository.secrets.view(rows.OURS, SecretRef.by_name(f"NAME_{number}"))


def session(database: PostgresqlDatabase) -> int:
    """The server's process of the connection that is idle."""
    borrowed = database._pool.borrow()
    borrowed.give_back()
    return borrowed.connection.info.backend_pid


def be_the_child(database: PostgresqlDatabase, parents: int) -> None:
    """Write on a session of one's own, and end as a worker does, with all that it holds freed."""
    add(database, 300)
    assert session(database) != parents
    database.close()
    sys.exit(0)


def main(url: str, busy: str) -> None:
    """Fork while ``busy`` is in use, and write in both halves at once."""
    database = open_database(url)
    add(database, 100)
    uses: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "nothing": nullcontext,
        "reader": database.reading,
        "writer": database.writing,
    }
    is_used, may_end = threading.Event(), threading.Event()

    def occupy() -> None:
        with uses[busy]() as used:
            is_used.set()
            may_end.wait(30)
            if used is not None:
                assert used.accounts.get(rows.OURS)

    thread = threading.Thread(target=occupy)
    thread.start()
    is_used.wait(30)
    add(database, 150)
    before = session(database)
    child = os.fork()
    if not child:
        be_the_child(database, before)
    add(database, 200)
    _, status = os.waitpid(child, 0)
    may_end.set()
    thread.join()
    assert session(database) == before or busy != "nothing"
    add(database, 400)
    database.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
