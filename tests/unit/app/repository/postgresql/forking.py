"""A process that forks while its database is open; both halves then read and write.

Usage: ``python -m tests.unit.app.repository.postgresql.forking URL BUSY``, where BUSY is what
another thread does during the fork: nothing, reader or writer. Ends with 0 if both halves wrote,
and if the parent's sessions are those that it had before.
"""

import os
import sys

from app.repository.postgresql.database import PostgresqlDatabase
from tests.unit.app.repository.occupied import add, occupied
from tests.unit.app.repository.postgresql.conftest import open_database


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
    with occupied(database, busy):
        add(database, 150)
        before = session(database)
        child = os.fork()
        if child:
            add(database, 200)
        status = os.waitpid(child, 0)[1] if child else 0
    if not child:
        be_the_child(database, before)
    assert session(database) == before or busy != "nothing"
    add(database, 400)
    database.close()
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
