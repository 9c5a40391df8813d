"""Every statement compares the account of each table that it names, but for the operator's sweeps.

It is a second wall: contexts and MACs bind each row to its account already.
"""

import re
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import getmembers, isfunction
from typing import Any

import pytest

from app.repository.base import Repository
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.sql.tables import metadata
from tests.contract.repository import rows
from tests.unit.app.repository.test_query_plans import (
    read_audit,
    read_everything,
    read_gateways,
    sweep_everything,
    write_audit,
    write_everything,
)

ACCOUNT = {
    table.name: "id" if table.name == "accounts" else "account_id"
    for table in metadata.tables.values()
    if table.name == "accounts" or "account_id" in table.c
}
"""The column with the account, of every table that has one."""

SWEEPS = {
    "accounts": {"ids", "named", "sweep"},
    "api_keys": {"sweep"},
    "audit_events": {"all_counts"},
    "data_keys": {
        *("sweep", "count", "counts", "count_secrets", "count_without", "count_incomplete"),
    },
    "injections": {"sweep"},
    "gateway_configs": {"sweep"},
    "gateway_tokens": {"sweep"},
    "gateway_uses": {"sweep"},
    "secrets": {"sweep_identities"},
    "secret_versions": {"count_under"},
    "wrappings": {"counts", "count_stranded", "remove_all"},
}
"""The methods that go over all accounts, by collection. The retention's sweep does not."""

WITHOUT_COLLECTION = {"audit_lanes", "audit_blocks", "audit_subjects"}
"""Tables whose rows are reached by the collection of another one."""

NAMED = re.compile(r"(?:\bFROM|\bJOIN|\bUPDATE|,) (\w+)(?![.\w=])")


def sweep_accounts(repository: Repository) -> None:
    """Every statement of the operator's sweeps, and what has no account."""
    repository.accounts.add(rows.account(rows.THEIRS))
    repository.accounts.ids(None, 10)
    repository.accounts.sweep(None, 10)
    repository.api_keys.sweep(None, 10)
    repository.injections.sweep(None, 10)
    repository.gateway_configs.sweep(None, 10)
    repository.gateway_tokens.sweep(None, 10)
    repository.gateway_uses.sweep(None, 10)
    repository.audit_events.all_counts(None, 10)
    repository.audit_events.all_counts((rows.OURS, 1), 10)
    repository.secrets.sweep_identities(None, 10)
    repository.data_keys.sweep(None, 10)
    repository.data_keys.count()
    repository.data_keys.counts()
    repository.data_keys.count_secrets(1)
    repository.secret_versions.count_under(1)
    repository.data_keys.count_without(["ref:1"])
    repository.data_keys.count_incomplete(["ref:1"])
    repository.wrappings.fence("ref:9")
    repository.wrappings.fences()
    repository.wrappings.lift_fence("ref:9")
    repository.wrappings.counts()
    repository.wrappings.count_stranded("ref:1", ["ref:2"])
    repository.api_keys.get(rows.OURS, rows.API_KEY)


@pytest.fixture
def statements(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> dict[tuple[str, str], list[str]]:
    """The text of every statement, by the collection and the method that ran it first."""
    found: dict[tuple[str, str], list[str]] = {}

    def record(name: str, method: str, do: Callable[..., object]) -> Callable[..., object]:
        @wraps(do)
        def recorded(*arguments: Any, **options: Any) -> object:
            before = len(database._prepared)
            answer = do(*arguments, **options)
            new = [sql for sql, _ in [*database._prepared.values()][before:]]
            found.setdefault((name, method), []).extend(" ".join(sql.split()) for sql in new)
            return answer

        return recorded

    database._prepared.clear()
    for name, method, do in methods(database):
        monkeypatch.setattr(collection(database, name), method, record(name, method, do))
    with database.reading() as repository:
        read_everything(repository)
        read_gateways(repository)
        read_audit(repository)
    with database.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_9"))
        write_everything(work)
        write_audit(work)
        sweep_everything(work)
    with database.writing() as work:
        sweep_accounts(work)
    return found


def collection(database: PostgresqlDatabase, name: str) -> type:
    with database.reading() as repository:
        return type(getattr(repository, name))


def methods(database: PostgresqlDatabase) -> Iterator[tuple[str, str, Callable[..., object]]]:
    """The public methods of the collections of tables that have an account."""
    for name in ACCOUNT.keys() - WITHOUT_COLLECTION:
        for method, do in getmembers(collection(database, name), isfunction):
            if not method.startswith("_") and method != "dump":
                yield name, method, do


def compares_every_account(sql: str) -> bool:
    """Return True if each table that a statement names is compared by its account."""
    if sql.startswith("INSERT"):
        return True  # the account is among the values
    named = [table for table in NAMED.findall(sql) if table in ACCOUNT]
    columns = {f"{table}.{ACCOUNT[table]}": named.count(table) for table in named}
    is_bound = not columns or any(f"{column} = %(" in sql for column in columns)
    return is_bound and all(
        sql.count(f"{column} = ") + sql.count(f"= {column}") >= count
        for column, count in columns.items()
    )


def test_every_method_of_the_collections_is_among_those_that_are_looked_at(
    statements: dict[tuple[str, str], list[str]], database: PostgresqlDatabase
) -> None:
    every = {(name, method) for name, method, _ in methods(database)}
    without_statement = {("data_keys", "add")}
    assert every - statements.keys() - without_statement == set()


def test_every_statement_but_the_sweeps_compares_the_account_of_each_table(
    statements: dict[tuple[str, str], list[str]],
) -> None:
    without = {
        method for method, ran in statements.items() if not all(map(compares_every_account, ran))
    }
    assert without == {(name, method) for name, swept in SWEEPS.items() for method in swept}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT secrets.id FROM secrets WHERE secrets.id = 1",
        "SELECT 1 FROM secrets JOIN data_keys ON data_keys.account_id = secrets.account_id",
        "SELECT 1 FROM secrets WHERE secrets.account_id = %(a)s AND EXISTS (SELECT FROM api_keys)",
        "DELETE FROM secrets WHERE secrets.account_id > 1",
        "UPDATE secrets SET account_id=1",
        "SELECT 1 FROM api_keys JOIN accounts ON true WHERE api_keys.account_id = %(a)s",
        "SELECT 1 FROM secrets WHERE secrets.account_id = %(a)s UNION SELECT 1 FROM secrets",
    ],
)
def test_a_statement_that_forgets_an_account_is_found(sql: str) -> None:
    assert not compares_every_account(sql)
