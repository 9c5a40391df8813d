"""What both databases share of the processes that fork while their database is open."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from app.domain.secrets import SecretRef
from app.repository.base import Database
from tests.contract.repository import rows


def add(database: Database, first: int) -> None:
    """Add ten secrets, each in a transaction of its own, and read them back."""
    for number in range(first, first + 10):
        with database.writing() as work:
            work.secrets.add(rows.secret(number))
            work.commit()
        with database.reading() as repository:
            assert repository.secrets.view(rows.OURS, SecretRef.by_name(f"NAME_{number}"))


@contextmanager
def occupied(database: Database, busy: str) -> Iterator[None]:
    """Let another thread use a part of the database until the block ends, and then once more.

    Args:
        busy: ``nothing``, ``reader`` or ``writer``.
    """
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
    yield
    may_end.set()
    thread.join()
