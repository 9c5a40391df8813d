"""The locks of rows that units of work take, and the order in which they take them.

SQLite has one writer and needs none: its SQL leaves the clauses out. PostgreSQL runs at READ
COMMITTED, where a statement that waited for a lock looks with the snapshot from before the wait.
So whoever must see what others did locks first, and looks in a statement of its own.

The order is the same everywhere, so no two units of work wait for each other: the deployment, then
the claim of a stored response, then an account, API key, injection, gateway token, config or
use, then a data key, then secrets by id, then old versions of secrets by number, then inserts.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Select, Table

Query = Select[*tuple[Any, ...]]
Locking = Callable[[Query], Query]


@cache
def changing(statement: Query) -> Query:
    """Lock the rows against other changes, not against references to them."""
    return statement.with_for_update(key_share=True)


@cache
def excluding(statement: Query) -> Query:
    """Lock the rows against everything, new references to them included."""
    return statement.with_for_update()


@cache
def sharing(statement: Query) -> Query:
    """Lock the rows against changes, together with others that do the same."""
    return statement.with_for_update(read=True)


def keeping(table: Table) -> Locking:
    """Lock the rows of one of the tables against deletion."""
    return cache(lambda statement: statement.with_for_update(read=True, key_share=True, of=table))


def free_ones(statement: Query) -> Query:
    """Lock the rows that nobody has locked, and leave out the others."""
    return statement.with_for_update(skip_locked=True)
