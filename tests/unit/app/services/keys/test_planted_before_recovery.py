"""Recovery refuses a database in which something was planted, and writes nothing to it.

The attacker can write the database and has the recovery public key, so they can wrap keys of
theirs; they have neither the system key nor the private half.
"""

from collections.abc import Callable

import pytest

from app.crypto.system_key import OpenedSystemKey
from app.domain.data_keys import DataKeyRow, DataKeyState, Wrapping
from app.domain.errors import RecoveryRefused
from app.domain.guarded import Guardable, Guarded
from app.domain.ids import DATA_KEY, new_id
from app.repository.collections.batches import Stored
from app.services.keys.failure_reasons import FailureReason
from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from tests.support.databases import Row, Rows
from tests.support.deployment import Tenant
from tests.unit.app.services.keys.escrow import Loss
from tests.unit.app.services.keys.moving import Move, ignore

NOTHING = bytes(32)


@pytest.fixture
def loss(move: Move, tenants: list[Tenant]) -> Loss:
    tenants[0].inject("OLD")
    return Loss.of(move)


class Attacker:
    """Signs rows under a system key of their own, and wraps keys that they know."""

    def __init__(self, loss: Loss, rows: Rows) -> None:
        self.rows = rows
        self.database = loss.move.deployment.database
        self.key = DataKey.random()
        self._public = loss.private.key.public_key
        self.use_system_key(rows.one("data_keys", account_id="_system")["id"])

    def use_system_key(self, data_key_id: str) -> None:
        self.own = OpenedSystemKey(self._context("_system", data_key_id), self.key)

    def data_key(self, account_id: str, data_key_id: str, state: DataKeyState) -> Row:
        record = DataKeyRow(
            account_id=account_id,
            id=data_key_id,
            state=state,
            check=key_check(self.key, self._context(account_id, data_key_id)),
            created_at_ms=1,
        )
        return self.signed(record)

    def wrapping(self, account_id: str, data_key_id: str) -> Row:
        context = self._context(account_id, data_key_id)
        wrapped = self._public.wrap(self.key, context)
        return self.signed(Wrapping(account_id, data_key_id, wrapped))

    def signed(self, row: Guardable) -> Row:
        mac = self.own.guard(row).mac
        return {**row.columns(), "mac_key_id": mac.key_id, "mac": mac.tag}

    def _context(self, account_id: str, data_key_id: str) -> KeyContext:
        return KeyContext(self.rows.one("deployment")["id"], account_id, data_key_id)


def planted_data_key(attacker: Attacker) -> None:
    account_id = attacker.rows.all("accounts")[0]["id"]
    data_key_id = new_id(DATA_KEY)
    row = attacker.data_key(account_id, data_key_id, DataKeyState.DECRYPT_ONLY)
    attacker.rows.plant("data_keys", row)
    attacker.rows.plant("wrappings", attacker.wrapping(account_id, data_key_id))


def replaced_active_data_key(attacker: Attacker) -> None:
    key = attacker.rows.all("data_keys", state="active")[-1]
    row = attacker.data_key(key["account_id"], key["id"], DataKeyState.ACTIVE)
    attacker.rows.edit("data_keys", {"id": key["id"]}, **row)
    replaced_wrapping(attacker)


def replaced_wrapping(attacker: Attacker) -> None:
    key = attacker.rows.all("data_keys", state="active")[-1]
    row = attacker.wrapping(key["account_id"], key["id"])
    attacker.rows.edit("wrappings", {"data_key_id": key["id"], "scheme": "recovery"}, **row)


def wrapping_with_its_old_mac(attacker: Attacker) -> None:
    key = attacker.rows.all("data_keys", state="active")[-1]
    blob = attacker.wrapping(key["account_id"], key["id"])["blob"]
    attacker.rows.edit("wrappings", {"data_key_id": key["id"], "scheme": "recovery"}, blob=blob)


def replaced_system_key(attacker: Attacker) -> None:
    """Under the same id, with every row signed anew."""
    system = attacker.own.context.data_key_id
    row = attacker.data_key("_system", system, DataKeyState.ACTIVE)
    attacker.rows.edit("data_keys", {"id": system}, **row)
    wrapping = attacker.wrapping("_system", system)
    attacker.rows.edit("wrappings", {"data_key_id": system, "scheme": "recovery"}, **wrapping)
    sign_everything(attacker)


def another_system_key(attacker: Attacker) -> None:
    """Under an id of its own, with every row signed anew."""
    system = new_id(DATA_KEY)
    attacker.use_system_key(system)
    attacker.rows.remove("wrappings", account_id="_system")
    attacker.rows.remove("data_keys", account_id="_system")
    attacker.rows.plant("data_keys", attacker.data_key("_system", system, DataKeyState.ACTIVE))
    attacker.rows.plant("wrappings", attacker.wrapping("_system", system))
    sign_everything(attacker)


def sign_everything(attacker: Attacker) -> None:
    with attacker.database.reading() as repository:
        stored: list[Stored[Guardable]] = [
            *repository.accounts.sweep(None, 100).rows,
            *repository.api_keys.sweep(None, 100).rows,
            *repository.injections.sweep(None, 100).rows,
        ]
        found = [each for each in stored if isinstance(each, Guarded)]
        for account_id, data_key_id in repository.data_keys.sweep(None, 100):
            data_key = repository.data_keys.get(account_id, data_key_id)
            assert data_key is not None
            found += [data_key.record, *data_key.wrappings]
    for each in found:
        mac = attacker.own.guard(each.unverified).mac
        columns = {"mac_key_id": mac.key_id, "mac": mac.tag}
        attacker.rows.edit(each.unverified.table, {"mac": each.mac.tag}, **columns)


def wrapping_of_the_system_key(attacker: Attacker) -> None:
    system = attacker.own.context.data_key_id
    blob = attacker.wrapping("_system", system)["blob"]
    attacker.rows.edit("wrappings", {"data_key_id": system, "scheme": "recovery"}, blob=blob)


def edited(table: str, **columns: object) -> Callable[[Attacker], None]:
    def edit(attacker: Attacker) -> None:
        attacker.rows.edit(table, {}, **columns)

    return edit


def copied(table: str, **columns: object) -> Callable[[Attacker], None]:
    def copy(attacker: Attacker) -> None:
        attacker.rows.plant(table, attacker.rows.all(table)[0] | columns)

    return copy


PLANTS: dict[str, Callable[[Attacker], None]] = {
    "data key": planted_data_key,
    "replaced active data key": replaced_active_data_key,
    "replaced wrapping": replaced_wrapping,
    "wrapping with its old mac": wrapping_with_its_old_mac,
    "replaced system key": replaced_system_key,
    "another system key": another_system_key,
    "wrapping of the system key": wrapping_of_the_system_key,
    "edited data keys": edited("data_keys", created_at_ms=1),
    "account": copied("accounts", id="acct_0000000000000000000000", name="another"),
    "edited account": edited("accounts", mac=NOTHING),
    "api key": copied("api_keys", id="key_0000000000000000000000"),
    "edited api key": edited("api_keys", scopes="keys:write"),
    "damaged api key": edited("api_keys", scopes="everything"),
    "injection": copied("injections", id="inj_0000000000000000000000"),
    "edited injection": edited("injections", secrets="[]"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_what_was_planted_is_refused_and_nothing_is_written(
    loss: Loss, rows: Rows, plant: str
) -> None:
    PLANTS[plant](Attacker(loss, rows))
    before = loss.move.deployment.snapshot()
    with pytest.raises(RecoveryRefused):
        loss.process().recovery.run(loss.private, ignore)
    assert loss.move.deployment.snapshot() == before


def row_of_an_injection(rows: Rows) -> tuple[str, str]:
    row = rows.one("injections")
    return row["account_id"], row["id"]


def test_a_refusal_names_table_and_id_and_no_contents(loss: Loss, rows: Rows) -> None:
    account_id, injection_id = row_of_an_injection(rows)
    rows.edit("injections", {}, secrets='[["CONTENTS", "a", "b"]]')
    with pytest.raises(RecoveryRefused) as refused:
        loss.process().recovery.run(loss.private, ignore)
    assert f"the row {injection_id} of injections (account {account_id})" in str(refused.value)
    assert "CONTENTS" not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("injections", {"state": "revoked"}),
        ("injections", {"state": "redeemed"}),
        ("injections", {"expires_at_ms": 1}),
        ("api_keys", {"revoked_at_ms": 1}),
        ("api_keys", {"expires_at_ms": 1}),
    ],
    ids=str,
)
def test_a_recovery_does_not_need_what_has_ended(
    loss: Loss, rows: Rows, table: str, columns: Row
) -> None:
    rows.edit(table, {}, **columns, mac=NOTHING)
    assert loss.process().recovery.run(loss.private, ignore).failed == 0


SKIPPABLE = [name for name in PLANTS if "system key" not in name and name != "edited data keys"]


@pytest.mark.parametrize("plant", SKIPPABLE)
def test_damaged_rows_are_named_and_stay_as_they_are_when_they_are_skipped(
    loss: Loss, rows: Rows, plant: str
) -> None:
    PLANTS[plant](Attacker(loss, rows))
    before = {table: rows.all(table) for table in ("accounts", "api_keys", "injections")}
    progress = loss.process().recovery.run(loss.private, ignore, skip_damaged=True)
    assert progress.damaged
    assert {table: rows.all(table) for table in before} == before


def test_a_damaged_data_key_that_is_skipped_counts_as_failed(loss: Loss, rows: Rows) -> None:
    replaced_wrapping(Attacker(loss, rows))
    progress = loss.process().recovery.run(loss.private, ignore, skip_damaged=True)
    assert (progress.changed, progress.reasons) == (4, {FailureReason.ROW_EDITED: 1})


@pytest.mark.parametrize("plant", [name for name in PLANTS if "system key" in name])
def test_a_planted_system_key_is_never_skipped(loss: Loss, rows: Rows, plant: str) -> None:
    PLANTS[plant](Attacker(loss, rows))
    before = loss.move.deployment.snapshot()
    with pytest.raises(RecoveryRefused):
        loss.process().recovery.run(loss.private, ignore, skip_damaged=True)
    assert loss.move.deployment.snapshot() == before
