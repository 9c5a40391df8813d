"""Statements on libpq: types, prepared statements, and what goes in one message."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from app.domain.errors import RowRefused
from app.repository.postgresql.connections import BoundedConnection
from app.repository.postgresql.cursor import Cursor
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.sessions import Transaction
from tests.contract.repository import rows

OFTEN = 8
"""So often a statement runs until it is prepared, and then some."""


@pytest.fixture
def connection(database: PostgresqlDatabase) -> Iterator[BoundedConnection]:
    borrowed = database._pool.borrow()
    yield borrowed.connection
    borrowed.give_back()


@pytest.fixture
def cursor(connection: BoundedConnection) -> Cursor:
    return connection.own_cursor


@pytest.mark.parametrize(
    "value", ["", "a\u00e9\U0001f511", 0, -1, 2**63 - 1, b"", b"\0\xff", True, None]
)
def test_a_value_comes_back_as_it_was_sent(cursor: Cursor, value: object) -> None:
    kind = {str: "text", int: "bigint", bytes: "bytea", bool: "boolean"}.get(type(value), "text")
    for _ in range(OFTEN):
        cursor.execute(f"SELECT %(value)s::{kind}", {"value": value})
        assert cursor.fetchall() == [(value,)]


def test_a_parameter_stands_wherever_its_name_does(cursor: Cursor) -> None:
    sql = "SELECT %(a)s::text, %(b)s::text, %(a)s::text, 'b' LIKE '%%'"
    cursor.execute(sql, {"b": "B", "a": "A", "unused": 1})
    assert cursor.fetchall() == [("A", "B", "A", True)]


def test_one_text_takes_values_of_several_types(cursor: Cursor) -> None:
    for value in (None, 7, None, 8) * OFTEN:
        cursor.execute("SELECT %(value)s::bigint", {"value": value})
        assert cursor.fetchall() == [(value,)]


def test_an_error_has_no_text_of_the_server(cursor: Cursor) -> None:
    with pytest.raises(psycopg.Error) as failed:
        cursor.execute("SELECT CAST(%(value)s::text AS integer)", {"value": "canary"})
    assert (failed.value.sqlstate, str(failed.value)) == ("22P02", "")
    assert failed.value.diag.message_primary is None


def test_what_follows_a_failure_in_one_message_is_not_run(cursor: Cursor) -> None:
    cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    cursor.execute("CREATE TEMP TABLE t (n bigint PRIMARY KEY)")
    one = ("INSERT INTO t VALUES (%(n)s)", {"n": 1})
    with pytest.raises(psycopg.Error) as failed:
        cursor.execute("INSERT INTO t VALUES (2)", ahead=[one, one])
    cursor.execute("SELECT * FROM t")
    assert (failed.value.sqlstate, cursor.fetchall()) == ("23505", [])


def test_a_transaction_begins_with_its_first_statement(database: PostgresqlDatabase) -> None:
    borrowed = database._pool.borrow()
    transaction = Transaction(borrowed)
    info = borrowed.connection.info
    before = info.transaction_status
    transaction.execute("SELECT 1")
    assert (before, info.transaction_status) == (TransactionStatus.IDLE, TransactionStatus.INTRANS)
    transaction.undo()
    assert info.transaction_status is TransactionStatus.IDLE
    borrowed.give_back()


def test_the_failure_of_a_write_that_was_put_off_fails_the_commit(
    database: PostgresqlDatabase,
) -> None:
    claimed = rows.stored_response()
    nothing: Any = None

    def commit_a_response_that_no_row_can_hold() -> None:
        with database.writing() as work:
            assert work.stored_responses.claim(claimed, 1)
            work.stored_responses.finish(replace(claimed, response=nothing))
            work.commit()

    with pytest.raises(RowRefused):
        commit_a_response_that_no_row_can_hold()
    with database.reading() as repository:
        assert repository.stored_responses.get(rows.OURS, rows.API_KEY, "request") is None
