"""The steps of an operation on database and providers, and something that happens at one of them.

What happens may be an error, the end of the process, or all of another operation.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from app.repository.base import Database, Repository, UnitOfWork

BETWEEN_TRANSACTIONS = frozenset({"reading", "writing", "provider"})
"""Steps at which the operation holds nothing that another one could wait for."""


class Killed(BaseException):
    """The process ends here; nothing of ours may catch this."""


def _nothing() -> None:
    return None


class Steps:
    """Counts steps and makes something happen before one of them.

    Attributes:
        names: The steps so far, such as ``reading``, ``secrets.add``, ``commit`` or ``provider``.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._at = 0
        self._happens: Callable[[], object] | None = None
        self._first: dict[str, Callable[[], object]] = {}
        self._writers: set[int] = set()

    def at(self, number: int, happens: Callable[[], object]) -> None:
        """Before the step of this number, counted from 1, let something happen once."""
        self._at, self._happens = number, happens

    def before(self, name: str, happens: Callable[[], object]) -> None:
        """Before the first step of this name, let something happen once."""
        self._first[name] = happens

    def take(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self._at and self._happens is not None:
            self._happens()
        self._first.pop(name, _nothing)()

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._writers.add(threading.get_ident())
        try:
            yield
        finally:
            self._writers.remove(threading.get_ident())

    @property
    def is_writing(self) -> bool:
        """Return True if this thread is inside a unit of work."""
        return threading.get_ident() in self._writers


def stepped(database: Database, steps: Steps) -> Database:
    """The database, each of whose calls is a step, as are both sides of a commit."""
    return cast("Database", _SteppedDatabase(database, steps))


class _SteppedDatabase:
    def __init__(self, inner: Database, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    @contextmanager
    def reading(self) -> Iterator[object]:
        self._steps.take("reading")
        with self._inner.reading() as repository:
            yield _Collections(repository, self._steps)

    @contextmanager
    def writing(self) -> Iterator[object]:
        self._steps.take("writing")
        with self._inner.writing() as work, self._steps.writing():
            yield _Collections(work, self._steps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Collections:
    def __init__(self, inner: Repository, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def commit(self) -> None:
        self._steps.take("commit")
        cast("UnitOfWork", self._inner).commit()
        self._steps.take("committed")

    def __getattr__(self, name: str) -> "_Collection":
        return _Collection(name, getattr(self._inner, name), self._steps)


class _Collection:
    def __init__(self, name: str, inner: object, steps: Steps) -> None:
        self._name = name
        self._inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        self._steps.take(f"{self._name}.{name}")
        return getattr(self._inner, name)(*args, **kwargs)
