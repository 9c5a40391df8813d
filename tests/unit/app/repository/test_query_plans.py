"""Every statement of a request finds its rows by an index."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.audit.filters import EventFilter
from app.domain.gateways.configs import ConfigFilter
from app.domain.gateways.tokens import TokenFilter
from app.domain.operations.usage import CountedTable, CountedUsage, Usage
from app.domain.secrets import SecretFilter, SecretRef
from app.repository.base import Repository, UnitOfWork
from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows

WANTED = [
    SecretFilter(),
    SecretFilter(name="NAME_1"),
    SecretFilter(search="name"),
    SecretFilter(name="NAME_1", search="name"),
]
WANTED_CONFIGS = [ConfigFilter(), ConfigFilter(id="gwc_1", name="a", search="a")]
WANTED_TOKENS = [
    TokenFilter(),
    TokenFilter(devbox_id="dbx_1"),
    TokenFilter(devbox_id="dbx_1", config_id="gwc_1", api_key_id=rows.API_KEY),
]
POSITIONS: dict[CountedTable, tuple[object, ...]] = {
    CountedTable.STORED_RESPONSES: ("key_1", "request"),
    CountedTable.SECRET_VERSIONS: ("sec_1", 1),
}
"""Those of tables whose keys have two more columns than the account."""
WANTED_EVENTS = [
    EventFilter(),
    EventFilter(action="a", actor="key_1", subject="sec_1", since_ms=1, until_ms=2),
]
A_SCAN = re.compile(r"^SCAN (?!few|mine|these|now|listed|\(subquery|CONSTANT ROW)")


def read_everything(repository: Repository) -> None:
    """Every read of a request."""
    repository.api_keys.get_with_account(rows.OURS, rows.API_KEY)
    for after in (None, (rows.API_KEY,)):
        repository.api_keys.page(rows.OURS, after, 10)
    repository.api_keys.find(rows.OURS, [rows.API_KEY])
    repository.injections.count_pending(rows.OURS, [rows.API_KEY], 1)
    repository.accounts.get(rows.OURS)
    repository.accounts.named("a name")
    repository.data_keys.get(rows.OURS, rows.DATA_KEY)
    repository.data_keys.get_active(rows.OURS)
    repository.data_keys.find(rows.OURS, [rows.DATA_KEY])
    repository.stored_responses.get(rows.OURS, rows.API_KEY, "request")
    repository.injections.get(rows.OURS, "inj_1")
    repository.injections.get_grant(rows.OURS, "inj_1")
    repository.secrets.view(rows.OURS, SecretRef.by_name("NAME_1"))
    repository.secrets.view(rows.OURS, SecretRef.by_id("sec_1"))
    repository.secrets.find(rows.OURS, ["NAME_1", "sec_1", "NAME_2"])
    repository.secrets.sealed(rows.OURS, ["sec_1", "sec_2"], rows.ANY_SIZE)
    repository.secrets.sealed_under(rows.OURS, rows.DATA_KEY, 10, "sec_1")
    for ref in (SecretRef.by_name("NAME_1"), SecretRef.by_id("sec_1")):
        repository.secret_versions.history(rows.OURS, ref, 10)
        repository.secret_versions.find(rows.OURS, ref, 1)
    repository.secret_versions.get(rows.OURS, "sec_1", 1)
    for position in (None, ("sec_1", 1)):
        repository.secret_versions.sealed_under(rows.OURS, rows.DATA_KEY, 10, position)
    for after_id in (None, "sec_1"):
        after_injection = None if after_id is None else (after_id,)
        repository.injections.page(rows.OURS, after_injection, 10)
        for wanted in WANTED:
            repository.secrets.page(rows.OURS, wanted, 10, after_id)
            repository.secrets.page_and_count(rows.OURS, wanted, 10, after_id)
            repository.secrets.count(rows.OURS, wanted)


def read_gateways(repository: Repository) -> None:
    """Every read of a request about gateways."""
    repository.gateway_configs.get(rows.OURS, "gwc_1")
    repository.gateway_configs.named(rows.OURS, "a name")
    repository.gateway_tokens.get(rows.OURS, "gwt_1")
    repository.gateway_tokens.get_grant(rows.OURS, "gwt_1")
    repository.gateway_tokens.count_live(rows.OURS, [rows.API_KEY], 1)
    repository.gateway_uses.get(rows.OURS, "gwu_1")
    for after in (None, ("id_1",)):
        for wanted_configs in WANTED_CONFIGS:
            repository.gateway_configs.page(rows.OURS, wanted_configs, after, 10)
            repository.gateway_configs.count(rows.OURS, wanted_configs)
        for wanted_tokens in WANTED_TOKENS:
            repository.gateway_tokens.page(rows.OURS, wanted_tokens, after, 10)
        for token_id in (None, "gwt_1"):
            repository.gateway_uses.page(rows.OURS, token_id, after, 10)


def read_audit(repository: Repository) -> None:
    """Every read of a request about the audit trail."""
    repository.audit_events.counts(rows.OURS)
    repository.audit_events.between(rows.OURS, 1, 0, 10, 10)
    for after in (None, ("id_1",)):
        for wanted in WANTED_EVENTS:
            repository.audit_events.page(rows.OURS, wanted, after, 10)


def write_everything(work: UnitOfWork) -> None:
    """Every write of a request."""
    work.secrets.add(rows.secret())
    work.secrets.lock(rows.OURS, SecretRef.by_id("sec_0001"))
    work.secret_versions.add(rows.old_version())
    work.secrets.replace_value(rows.secret())
    work.secret_versions.reseal(rows.old_version(), before=rows.old_version())
    work.secret_versions.delete(rows.OURS, "sec_0001", 1)
    work.secret_versions.delete_below(rows.OURS, "sec_0001", 9)
    work.secrets.reseal(rows.secret(), sealed_under=rows.DATA_KEY)
    work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001"))
    work.stored_responses.claim(rows.stored_response(), 1)
    work.stored_responses.finish(rows.stored_response())
    work.injections.add(rows.injection())
    work.injections.replace(rows.injection())
    used = [rows.secret().sealed()]
    work.injections.replace_if_granted(rows.injection(), rows.grant(), used)
    work.gateway_configs.add(rows.gateway_config())
    work.gateway_configs.replace(rows.gateway_config())
    work.gateway_configs.delete(rows.OURS, "gwc_0001")
    work.gateway_tokens.add(rows.gateway_token())
    work.gateway_tokens.replace(rows.gateway_token())
    work.gateway_uses.add(rows.gateway_use())
    work.gateway_uses.replace(rows.gateway_use())
    work.api_keys.replace(rows.api_key())
    work.accounts.replace(rows.account())
    work.data_keys.replace(rows.data_key())
    work.data_keys.delete_unused(rows.OURS, rows.DATA_KEY)
    work.wrappings.add(rows.wrapping(key_ref="ref:2"))
    work.wrappings.remove(rows.wrapping().unverified)
    work.wrappings.remove_all("ref:3", 10)


def write_audit(work: UnitOfWork) -> None:
    """Every write of the audit trail within a request."""
    work.audit_events.take_place(rows.OURS)
    work.audit_events.add(rows.columns_of(rows.audit_event()))


def sweep_everything(work: UnitOfWork) -> None:
    """Every statement of the sweep, and what requests delete of it."""
    work.stored_responses.has_later(rows.OURS, 1)
    work.stored_responses.end_later(rows.OURS, 1, 1, 100)
    work.stored_responses.has_expired(rows.OURS, 1)
    work.stored_responses.delete_expired(rows.OURS, 1, 100)
    work.injections.has_ended(rows.OURS, 1)
    work.injections.delete_ended(rows.OURS, 1, 100)
    work.gateway_tokens.has_ended(rows.OURS, 1)
    work.gateway_tokens.delete_ended(rows.OURS, 1, 100)
    work.gateway_uses.has_ended(rows.OURS, 1)
    work.gateway_uses.delete_ended(rows.OURS, 1, 100)
    work.api_keys.delete_unused(rows.OURS, ["key_2"])
    work.secret_versions.has_older(rows.OURS, 1)
    work.secret_versions.delete_older(rows.OURS, 1, 100)
    for after_id in (None, "sec_1"):
        work.secret_versions.surplus(rows.OURS, 5, after_id, 10)
    for table in CountedTable:
        work.usage.tally(rows.OURS, table, None, 10)
        work.usage.tally(rows.OURS, table, POSITIONS.get(table, ("id_1",)), 10)
    work.usage.get(rows.OURS)
    work.usage.put(rows.OURS, CountedUsage(Usage(), 1))
    work.leases.take("sweep", "worker", 1, 2)
    work.leases.give_up("sweep", "worker")


@pytest.fixture
def statements(database: SqliteDatabase) -> list[str]:
    """The text of every statement of a request."""
    with database.reading() as repository:
        read_everything(repository)
        read_gateways(repository)
        read_audit(repository)
    with database.writing() as work:
        write_everything(work)
        write_audit(work)
        sweep_everything(work)
    prepared = [*database._readers._prepared.values(), *database._writer._prepared.values()]
    return [sql for sql, _ in prepared]


def plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The steps of a statement, of which every parameter is NULL."""
    parameters = [None] * sql.count("?")
    return [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def test_no_statement_of_a_request_scans_a_table(statements: list[str], path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        scans = {step for sql in statements for step in plan(connection, sql) if A_SCAN.match(step)}
    assert scans == set()


def test_a_page_is_read_in_the_order_of_its_index(statements: list[str], path: Path) -> None:
    pages = [sql for sql in statements if "ORDER BY secrets.id DESC" in sql]
    with closing(sqlite3.connect(path)) as connection:
        sorts = [step for sql in pages for step in plan(connection, sql) if "TEMP B-TREE" in step]
    assert len(pages) == 4 * len(WANTED)
    assert sorts == []
