"""A database whose indices lead to other rows than those that were asked for.

Rows carry MACs, but nothing authenticates an index, a view or a trigger: whoever can write the file
can make a search for one id find the whole and genuine row of another.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from app.repository.base import Database

COLLECTIONS = ("accounts", "api_keys", "data_keys", "secrets", "stored_responses", "injections")


def misdirected(
    database: Database, collections: Collection[str], found: Mapping[str, str]
) -> Database:
    """The database, where these collections search for another text than they are asked for.

    Args:
        found: What is searched for in place of what.
    """
    return cast("Database", _Database(database, collections, found))


class _Database:
    def __init__(
        self, inner: Database, collections: Collection[str], found: Mapping[str, str]
    ) -> None:
        self._inner = inner
        self._collections = collections
        self._found = found

    @contextmanager
    def reading(self) -> Iterator[object]:
        with self._inner.reading() as repository:
            yield _Repository(repository, self._collections, self._found)

    @contextmanager
    def writing(self) -> Iterator[object]:
        with self._inner.writing() as work:
            yield _Repository(work, self._collections, self._found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Repository:
    def __init__(
        self, inner: object, collections: Collection[str], found: Mapping[str, str]
    ) -> None:
        self._inner = inner
        self._collections = collections
        self._found = found

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        return _Collection(inner, self._found) if name in self._collections else inner


class _Collection:
    def __init__(self, inner: object, found: Mapping[str, str]) -> None:
        self._inner = inner
        self._found = found

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._inner, name)(*map(self._instead, args), **kwargs)

    def _instead(self, asked: Any) -> Any:
        if isinstance(asked, str):
            return self._found.get(asked, asked)
        if isinstance(asked, list):
            return [self._instead(each) for each in asked]
        return asked
