"""The SQL that closes a database: from then on, it refuses every write to its rows.

Triggers refuse, so this depends on no server: neither on one that sleeps, nor on one of an earlier
version, nor on a command. A request pays nothing for it before. Heartbeats go on; by them workers
notice that the database is closed.
"""

from collections.abc import Iterator

from app.repository.sql.tables import metadata

SQLSTATE = "SR001"
"""The code with which the triggers refuse in PostgreSQL."""

LOCK_MS = 300
"""Limit of the wait for one table's lock: below the time after which PostgreSQL ends a deadlock, so
this gives up before a request has to."""

# In the order in which requests write, so that nobody waits for this and is waited for.
_FIRST = (
    *("deployment", "stored_responses", "accounts", "api_keys", "injections"),
    *("gateway_tokens", "gateway_configs", "gateway_uses", "data_keys"),
)
_OPEN = {"workers", "moves"}
_CLOSED = (*_FIRST, *(name for name in metadata.tables if name not in {*_FIRST, *_OPEN}))

_WRITES = ("insert", "update", "delete")
_FUNCTION = f"""
CREATE FUNCTION refuse_moved() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = '{SQLSTATE}'; END $$
"""


def closing_statements(*, is_server: bool) -> Iterator[str]:
    """Yield the statements of the transaction that closes a database.

    Args:
        is_server: The database is PostgreSQL; otherwise SQLite, which has one writer at a time.
    """
    if not is_server:
        for name in _CLOSED:
            for write in _WRITES:
                yield (
                    f"CREATE TRIGGER moved_{write}_{name} BEFORE {write} ON {name} "
                    "BEGIN SELECT RAISE(ABORT, 'moved'); END"
                )
        return
    yield f"SET LOCAL lock_timeout = '{LOCK_MS}ms'"
    yield _FUNCTION
    for name in _CLOSED:  # waits for the transactions that have written to it
        yield (
            f"CREATE TRIGGER moved BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_moved()"
        )


def opening_statements(*, is_server: bool) -> Iterator[str]:
    """Yield the statements of the transaction that opens it again."""
    if is_server:
        yield "DROP FUNCTION refuse_moved() CASCADE"
        return
    for name in _CLOSED:
        for write in _WRITES:
            yield f"DROP TRIGGER moved_{write}_{name}"
