"""Rows that someone wrote who can write to the database: refused, and in nobody else's way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Column, LargeBinary

from app.domain.errors import TamperedRow
from app.domain.gateways.configs import ConfigFilter
from app.domain.gateways.tokens import TokenFilter
from app.domain.operations.usage import CountedTable, CountedUsage, Usage
from app.domain.secrets import SecretFilter, SecretRef
from app.repository.base import Database, Repository
from app.repository.sql.tables import metadata
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase
from tests.contract.repository.cases import CASES
from tests.contract.repository.conftest import make_with_accounts

Read = Callable[[Repository], Any]

HOSTILE = {
    "nothing": None,
    "another word": "nonsense",
    "no word": "",
    "a number": 7,
    "a negative number": -1,
    "the largest number": 2**63 - 1,
    "a fraction": 1.5,
    "bytes": b"\xff\xfe\x00",
    "a long text": "x" * 100_000,
    "JSON of another shape": '[{"a": [1]}, 5, null]',
    "deep JSON": "[" * 5000,
}

# Nothing reads these yet.
AUDIT = [each.name for each in metadata.sorted_tables if each.name.startswith("audit_")]

EVERYTHING = SecretFilter()
READS: dict[str, list[Read]] = {
    "deployment": [
        lambda r: r.deployment.get_id(),
        lambda r: r.deployment.get_reencryption(),
        lambda r: r.deployment.fence_generation(),
    ],
    "accounts": [
        lambda r: r.accounts.get(rows.OURS),
        lambda r: r.accounts.named(f"account {rows.OURS}"),
        lambda r: r.accounts.sweep(None, 10),
        lambda r: r.accounts.ids(None, 10),
        lambda r: r.api_keys.get_with_account(rows.OURS, rows.API_KEY),
        lambda r: r.injections.get_grant(rows.OURS, "inj_0001"),
        lambda r: r.gateway_tokens.get_grant(rows.OURS, "gwt_0001"),
    ],
    "api_keys": [
        lambda r: r.api_keys.get(rows.OURS, rows.API_KEY),
        lambda r: r.api_keys.get_with_account(rows.OURS, rows.API_KEY),
        lambda r: r.api_keys.page(rows.OURS, None, 10),
        lambda r: r.api_keys.sweep(None, 10),
        lambda r: r.usage.tally(rows.OURS, CountedTable.API_KEYS, None, 10),
        lambda r: r.injections.get_grant(rows.OURS, "inj_0001"),
        lambda r: r.gateway_tokens.get_grant(rows.OURS, "gwt_0001"),
    ],
    "data_keys": [
        lambda r: r.data_keys.get(rows.OURS, rows.DATA_KEY),
        lambda r: r.data_keys.get_active(rows.OURS),
        lambda r: r.data_keys.sweep(None, 10),
        lambda r: r.data_keys.count_without([rows.KEY_REF]),
        lambda r: r.data_keys.count_incomplete([rows.KEY_REF]),
        lambda r: r.data_keys.count_secrets(1),
        lambda r: r.secrets.sealed(rows.OURS, ["sec_0001"], rows.ANY_SIZE),
    ],
    "wrappings": [
        lambda r: r.data_keys.get(rows.OURS, rows.DATA_KEY),
        lambda r: r.data_keys.get_active(rows.OURS),
        lambda r: r.wrappings.counts(),
        lambda r: r.wrappings.count_stranded(rows.KEY_REF, []),
        lambda r: r.secrets.sealed(rows.OURS, ["sec_0001"], rows.ANY_SIZE),
    ],
    "fences": [lambda r: r.wrappings.fences()],
    "workers": [lambda r: r.workers.all()],
    "secrets": [
        lambda r: r.secrets.sealed(rows.OURS, ["sec_0001"], rows.ANY_SIZE),
        lambda r: r.secrets.sealed_under(rows.OURS, rows.DATA_KEY, 10, None),
        lambda r: r.secrets.find(rows.OURS, ["NAME_1"]),
        lambda r: r.usage.tally(rows.OURS, CountedTable.SECRETS, None, 10),
        lambda r: r.secrets.view(rows.OURS, SecretRef.by_name("NAME_1")),
    ],
    "secret_versions": [
        lambda r: r.secret_versions.find(rows.OURS, SecretRef.by_id("sec_0001"), 1),
        lambda r: r.secret_versions.get(rows.OURS, "sec_0001", 1),
        lambda r: r.secret_versions.history(rows.OURS, SecretRef.by_name("NAME_1"), 10),
        lambda r: r.secret_versions.sealed_under(rows.OURS, rows.DATA_KEY, 10, None),
        lambda r: r.secret_versions.surplus(rows.OURS, 1, None, 10),
        lambda r: r.secret_versions.has_older(rows.OURS, 1),
        lambda r: r.usage.tally(rows.OURS, CountedTable.SECRET_VERSIONS, None, 10),
    ],
    "stored_responses": [
        lambda r: r.stored_responses.get(rows.OURS, rows.API_KEY, "request"),
        lambda r: r.stored_responses.has_expired(rows.OURS, 1),
        lambda r: r.usage.tally(rows.OURS, CountedTable.STORED_RESPONSES, None, 10),
    ],
    "usage": [lambda r: r.usage.get(rows.OURS)],
    "moves": [lambda r: r.deployment.get_move()],
    "leases": [],  # taken in a write, and never read
    "injections": [
        lambda r: r.injections.get(rows.OURS, "inj_0001"),
        lambda r: r.injections.get_grant(rows.OURS, "inj_0001"),
        lambda r: r.injections.page(rows.OURS, None, 10),
        lambda r: r.injections.sweep(None, 10),
        lambda r: r.injections.has_ended(rows.OURS, 1),
        lambda r: r.usage.tally(rows.OURS, CountedTable.INJECTIONS, None, 10),
    ],
    "gateway_configs": [
        lambda r: r.gateway_configs.get(rows.OURS, "gwc_0001"),
        lambda r: r.gateway_configs.named(rows.OURS, "config 1"),
        lambda r: r.gateway_configs.page(rows.OURS, ConfigFilter(search="config"), None, 10),
        lambda r: r.gateway_configs.count(rows.OURS, ConfigFilter()),
        lambda r: r.gateway_configs.sweep(None, 10),
        lambda r: r.gateway_tokens.get_grant(rows.OURS, "gwt_0001"),
        lambda r: r.usage.tally(rows.OURS, CountedTable.GATEWAY_CONFIGS, None, 10),
    ],
    "gateway_tokens": [
        lambda r: r.gateway_tokens.get(rows.OURS, "gwt_0001"),
        lambda r: r.gateway_tokens.get_grant(rows.OURS, "gwt_0001"),
        lambda r: r.gateway_tokens.page(rows.OURS, TokenFilter(), None, 10),
        lambda r: r.gateway_tokens.count_live(rows.OURS, [rows.API_KEY], 1),
        lambda r: r.gateway_tokens.sweep(None, 10),
        lambda r: r.gateway_tokens.has_ended(rows.OURS, 1),
        lambda r: r.usage.tally(rows.OURS, CountedTable.GATEWAY_TOKENS, None, 10),
    ],
    "gateway_uses": [
        lambda r: r.gateway_uses.get(rows.OURS, "gwu_0001"),
        lambda r: r.gateway_uses.page(rows.OURS, None, None, 10),
        lambda r: r.gateway_uses.sweep(None, 10),
        lambda r: r.gateway_uses.has_ended(rows.OURS, 1),
        lambda r: r.usage.tally(rows.OURS, CountedTable.GATEWAY_USES, None, 10),
    ],
    "gateway_keys": [
        lambda r: r.gateway_keys.get("gwk_0001"),
        lambda r: r.gateway_keys.sweep(None, 10),
    ],
    "switches": [lambda r: r.switches.off_since("gateway")],
    **{table: [] for table in AUDIT},
}

# Nobody grants anything by these, and no MAC covers the whole of them.
UNGUARDED = {
    "deployment",
    "fences",
    "workers",
    "secrets",
    "secret_versions",
    "stored_responses",
    "usage",
    "leases",
    "moves",
    "switches",
    *AUDIT,
}
GUARDED_COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    if table.name not in UNGUARDED
    for column in table.columns
]


def column_of(table: str, column: str) -> Column[Any]:
    return metadata.tables[table].columns[column]


def holding(column: Column[Any], value: object) -> list[str]:
    """The kinds of database in which the column can hold this value."""
    return [kind for kind, case in CASES.items() if case.can_hold(column, value)]


SHOWN_COLUMNS = ["name", "version", "create_time_ms", "update_time_ms", "data_key_id", "envelope"]


@pytest.fixture
def filled(database: Database, case: DatabaseCase) -> Database:
    """A row in every table, and two more secrets."""
    fill(case)
    return database


@pytest.fixture(scope="module", params=CASES)
def shared(request: pytest.FixtureRequest) -> tuple[DatabaseCase, Database]:
    """The same once, for tests that put back what they have damaged."""
    case = CASES[request.param](request)
    database = make_with_accounts(case)
    fill(case)
    return case, database


def fill(case: DatabaseCase) -> None:
    with case.connect(operating=True).writing() as work:
        for number in (1, 2, 3):
            work.secrets.add(rows.secret(number))
            work.secret_versions.add(rows.old_version(number))
        work.stored_responses.claim(rows.stored_response(), now_ms=1)
        work.injections.add(rows.injection())
        work.gateway_configs.add(rows.gateway_config())
        work.gateway_tokens.add(rows.gateway_token())
        work.gateway_uses.add(rows.gateway_use())
        work.gateway_keys.add(rows.gateway_key())
        work.switches.turn_off("gateway", 1)
        work.wrappings.fence("ref:fenced")
        work.usage.put(rows.OURS, CountedUsage(Usage(), 1))
        work.leases.take("sweep", "worker", 1, 2)
        work.workers.beat(rows.worker())
        work.deployment.start_reencryption(rows.reencryption(1))
        work.commit()
    case.execute("INSERT INTO moves VALUES (1, 'mov_1', 'dep_1', 'received', '')")


def damage(case: DatabaseCase, table: str, column: str, value: object, which: str = "") -> None:
    case.loosen(table)
    case.execute(f'UPDATE {table} SET "{column}" = ? {which}', value)


def test_every_table_is_read() -> None:
    assert set(READS) == {table.name for table in metadata.sorted_tables}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("table", READS)
def test_a_damaged_row_is_refused_as_tampered_or_read_as_it_is(
    shared: tuple[DatabaseCase, Database], table: str, value: object
) -> None:
    case, database = shared
    with spared(case, table) as put_back:
        for column in metadata.tables[table].columns:
            if not case.can_hold(column, value):
                continue
            case.execute(f'UPDATE "{table}" SET "{column.name}" = ?', value)
            with database.reading() as repository:
                refusals = [refusal_of(read, repository) for read in READS[table]]
            assert all(refusal is None or refusal.__context__ is None for refusal in refusals)
            put_back()


@contextmanager
def spared(case: DatabaseCase, table: str) -> Iterator[Callable[[], None]]:
    """Loosen a table that is to be damaged, and put its rows back at the end and when asked."""
    case.loosen(table)
    case.execute(f'CREATE TABLE whole AS SELECT * FROM "{table}"')

    def put_back() -> None:
        case.execute(f'DELETE FROM "{table}"')
        case.execute(f'INSERT INTO "{table}" SELECT * FROM whole')

    try:
        yield put_back
    finally:
        put_back()
        case.execute("DROP TABLE whole")


def refusal_of(read: Read, repository: Repository) -> TamperedRow | None:
    try:
        read(repository)
    except TamperedRow as refusal:
        return refusal
    return None


def without_type(column: Column[Any]) -> object:
    return "a text" if isinstance(column.type, LargeBinary) else b"bytes"


@pytest.mark.parametrize(
    ("case", "table", "column"),
    [
        (kind, table, column)
        for table, column in GUARDED_COLUMNS
        if column not in {"account_id", "id", "data_key_id"}
        for kind in holding(column_of(table, column), without_type(column_of(table, column)))
    ],
    indirect=["case"],
)
def test_a_guarded_column_without_its_type_is_tampered(
    filled: Database, case: DatabaseCase, table: str, column: str
) -> None:
    damage(case, table, column, without_type(column_of(table, column)))
    with filled.reading() as repository, pytest.raises(TamperedRow, match=table):
        READS[table][0](repository)


@pytest.mark.parametrize(
    ("case", "column", "value"),
    [
        (kind, column, value)
        for column, value in (
            ("reencrypt_started_ms", "a text"),
            ("reencrypt_mac_key_id", None),
            ("reencrypt_mac", None),
            ("reencrypt_mac", "a text"),
        )
        for kind in holding(column_of("deployment", column), value)
    ],
    indirect=["case"],
)
def test_a_reencryption_without_its_types_is_tampered(
    filled: Database, case: DatabaseCase, column: str, value: object
) -> None:
    damage(case, "deployment", column, value)
    with filled.reading() as repository, pytest.raises(TamperedRow, match="deployment"):
        repository.deployment.get_reencryption()


def test_two_active_data_keys_are_tampered(filled: Database, case: DatabaseCase) -> None:
    case.loosen("data_keys")
    case.execute(
        "INSERT INTO data_keys SELECT account_id, 'dk_2', state, \"check\", "
        "created_at_ms, mac_key_id, mac FROM data_keys"
    )
    with filled.reading() as repository, pytest.raises(TamperedRow, match="data_keys"):
        repository.data_keys.get_active(rows.OURS)


def hostile(*columns: str) -> pytest.MarkDecorator:
    """Every hostile value in each of these columns of a secret, where the column can hold it."""
    damages = {
        f"{kind}-{column}-{name}": (kind, column, value)
        for column in columns
        for name, value in HOSTILE.items()
        for kind in holding(column_of("secrets", column), value)
    }
    names = ("case", "column", "value")
    return pytest.mark.parametrize(names, damages.values(), ids=damages, indirect=["case"])


@hostile(*SHOWN_COLUMNS)
def test_a_damaged_secret_is_still_shown_counted_and_deleted(
    filled: Database, case: DatabaseCase, column: str, value: object
) -> None:
    damage(case, "secrets", column, value, "WHERE id = 'sec_0002'")
    with filled.writing() as work:
        page = work.secrets.page(rows.OURS, EVERYTHING, 10, None)
        assert [secret.id for secret in page] == ["sec_0003", "sec_0002", "sec_0001"]
        assert [tuple(map(type, secret)) for secret in page] == [(str, str, int, int)] * 3
        assert work.secrets.view(rows.OURS, SecretRef.by_id("sec_0002")) == page[1]
        assert work.secrets.count(rows.OURS, EVERYTHING) == 3
        assert work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0002"))


@hostile(*sorted({*SHOWN_COLUMNS} - {"name"}))
def test_a_damaged_secret_can_be_replaced(
    filled: Database, case: DatabaseCase, column: str, value: object
) -> None:
    damage(case, "secrets", column, value, "WHERE id = 'sec_0002'")
    with filled.writing() as work:
        version = rows.lock(work, "sec_0002").version
        work.secrets.replace_value(rows.secret(2, version=version + 1, envelope=b"new"))
        assert rows.lock(work, "sec_0002").version == version + 1


@pytest.mark.parametrize("column", ["name", "mac_key_id", "mac"])
def test_a_secret_whose_identity_is_damaged_is_not_replaced(
    filled: Database, case: DatabaseCase, column: str
) -> None:
    """Its next value would be sealed for another name; it can be deleted and made anew."""
    damage(case, "secrets", column, None, "WHERE id = 'sec_0002'")
    with filled.writing() as work, pytest.raises(TamperedRow, match="secrets"):
        rows.lock(work, "sec_0002")
