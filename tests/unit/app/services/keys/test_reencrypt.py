"""Re-encryption gives every value a new data key, and the old data keys go."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from app.domain.errors import StorageUnavailable, TamperedRow
from app.services.keys.failure_reasons import FailureReason
from app.services.rotation import reencrypt
from app.services.rotation.progress import Progress
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyAccessDenied, KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring
from backends.provider import WrappedItems
from tests.support.databases import Rows
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import VALUES, Move, counting, ignore
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import BETWEEN_TRANSACTIONS

DATA_KEYS = 4  # two of either tenant
CALLS_FOR_ONE_TENANT = 2  # to make and to prove its new data key


def data_key_ids(rows: Rows) -> set[str]:
    """Of all accounts but the system's."""
    return {row["id"] for row in rows.all("data_keys") if row["account_id"] != "_system"}


def test_every_value_is_under_a_new_data_key(move: Move, tenants: list[Tenant], rows: Rows) -> None:
    old = data_key_ids(rows)
    move.process(move.a).reencrypt.run(ignore)
    assert not old & {row["data_key_id"] for row in rows.all("secrets")}


def test_old_data_keys_and_their_wrappings_are_deleted(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    old = data_key_ids(rows)
    move.process(move.a).reencrypt.run(ignore)
    assert not old & data_key_ids(rows)
    assert not old & {row["data_key_id"] for row in rows.all("wrappings")}


def test_values_versions_and_times_stay(move: Move, tenants: list[Tenant], rows: Rows) -> None:
    def shown() -> list[tuple[object, ...]]:
        kept = ("id", "name", "version", "create_time_ms", "update_time_ms")
        return [tuple(row[column] for column in kept) for row in rows.all("secrets")]

    before = shown()
    move.process(move.a).reencrypt.run(ignore)
    assert shown() == before
    services = move.process(move.a)
    assert [tenant.at(services).values() for tenant in tenants] == [VALUES, VALUES]


def test_the_system_key_is_left_alone(move: Move, tenants: list[Tenant], rows: Rows) -> None:
    before = rows.one("data_keys", account_id="_system")
    move.process(move.a).reencrypt.run(ignore)
    assert rows.one("data_keys", account_id="_system") == before


def test_an_account_without_secrets_gets_rid_of_its_old_key_too(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    for name in VALUES:
        tenants[0].delete(name)
    old = data_key_ids(rows)
    move.process(move.a).reencrypt.run(ignore)
    assert not old & data_key_ids(rows)


def test_values_of_several_batches_are_all_sealed_anew(
    move: Move, tenants: list[Tenant], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencrypt, "BATCH", 3)
    for number in range(7):
        tenants[0].create(f"MORE{number}")
    old = data_key_ids(rows)
    move.process(move.a).reencrypt.run(ignore)
    assert not old & {row["data_key_id"] for row in rows.all("secrets")}


def test_a_dry_run_counts_and_writes_nothing(move: Move, tenants: list[Tenant]) -> None:
    before = move.deployment.snapshot()
    progress = move.process(move.a).reencrypt.run(ignore, dry_run=True)
    assert (progress.total, progress.changed, progress.failed) == (DATA_KEYS, DATA_KEYS, 0)
    assert move.deployment.snapshot() == before


def test_progress_counts_values_within_a_data_key(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencrypt, "BATCH", 2)
    services = move.process(move.a)
    tenant = new_tenant(services)
    for number in range(5):
        tenant.create(f"NAME{number}")
    tenant.update("NAME0", "another value")
    seen: list[Progress] = []
    services.reencrypt.run(seen.append)
    assert {(each.total, each.unit) for each in seen} == {(6, "values")}
    assert [each.done for each in seen] == [0, 2, 4, 5, 6, 6]


class Batching(Scripted):
    """Remembers how many wrappings it was asked to open at once."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.batches: list[int] = []

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        self.batches.append(len(items))
        return super().unwrap_many(items)


def test_the_old_data_keys_are_opened_in_one_batch(move: Move, tenants: list[Tenant]) -> None:
    a = Batching(move.a)
    services = move.deployment.process(keyring=Keyring([a]))
    services.accounts.list()  # the system key is open
    a.calls = 0
    services.reencrypt.run(ignore)
    assert a.batches == [DATA_KEYS]
    assert a.calls == DATA_KEYS + CALLS_FOR_ONE_TENANT * len(tenants)


def test_a_data_key_that_no_one_opens_is_deleted_if_it_seals_nothing(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    for name in VALUES:
        tenants[0].delete(name)
    where = {"account_id": tenants[0].caller.account_id}
    lost = {row["id"] for row in rows.all("data_keys", **where)}
    a = Scripted(move.a)
    services = move.deployment.process(keyring=Keyring([a]))
    services.accounts.list()  # the system key is open
    denied = KeyAccessDenied("It is denied.")
    with patch.object(a, "unwrap_many", lambda items: [denied] * len(items)):
        assert services.reencrypt.run(ignore).reasons == {FailureReason.KEY_ACCESS_DENIED: 2}
    assert not lost & data_key_ids(rows)


def test_a_second_run_replaces_the_keys_again(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    services = move.process(move.a)
    services.reencrypt.run(ignore)
    first = data_key_ids(rows)
    move.deployment.clock.advance(seconds=1)
    services.reencrypt.run(ignore)
    assert not first & data_key_ids(rows)


def damage(rows: Rows, tenant: Tenant, name: str) -> None:
    where = {"account_id": tenant.caller.account_id, "name": name}
    envelope = rows.one("secrets", **where)["envelope"]
    rows.edit("secrets", where, envelope=envelope[::-1])


def test_a_damaged_value_stays_alone_with_its_key(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    damage(rows, tenants[0], "OLD")
    before = rows.one("secrets", account_id=tenants[0].caller.account_id, name="OLD")
    progress = move.process(move.a).reencrypt.run(ignore)
    assert (progress.changed, progress.reasons) == (
        DATA_KEYS - 1,
        {FailureReason.VALUE_UNREADABLE: 1},
    )
    assert rows.one("secrets", id=before["id"]) == before
    assert rows.all("data_keys", id=before["data_key_id"])


def test_a_value_that_stays_damaged_does_not_keep_a_later_job_from_its_work(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    damage(rows, tenants[0], "OLD")
    services = move.process(move.a)
    services.reencrypt.run(ignore)
    first = rows.one("secrets", name="NEW", account_id=tenants[0].caller.account_id)["data_key_id"]
    move.deployment.clock.advance(seconds=1)
    services.reencrypt.run(ignore)
    assert first not in data_key_ids(rows)


def test_what_stands_beside_a_damaged_value_is_sealed_anew(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    tenants[0].create("BESIDE", "a value beside it")
    damage(rows, tenants[0], "NEW")
    move.process(move.a).reencrypt.run(ignore)
    assert tenants[0].at(move.process(move.a)).value("BESIDE") == "a value beside it"
    with pytest.raises(DecryptionError):
        tenants[0].value("NEW")


def test_an_edited_data_key_is_counted_and_the_others_are_done(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    edited = rows.all("data_keys", account_id=tenants[0].caller.account_id)[0]
    rows.edit("data_keys", {"id": edited["id"]}, created_at_ms=edited["created_at_ms"] - 1)
    progress = move.process(move.a).reencrypt.run(ignore)
    assert progress.reasons == {FailureReason.ROW_EDITED: 1}
    assert tenants[1].at(move.process(move.a)).values() == VALUES


def test_what_failed_in_an_outage_is_done_when_run_again(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    old = data_key_ids(rows)
    interrupt_by_outage(move)
    assert move.process(move.a).reencrypt.run(ignore).failed == 0
    assert not old & data_key_ids(rows)


def test_a_write_that_fails_anywhere_late_ends_no_sweep(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    prepared = move.deployment.snapshot()
    whole, steps = counting(move)
    whole.reencrypt.run(ignore)
    writes = [at for at, name in enumerate(steps.names, start=1) if name == "writing"]
    for number in writes[1:-1]:  # the first notes that the job began, the last that it ended
        move.deployment.restore(prepared)
        old = data_key_ids(rows)
        services, counted = counting(move)
        counted.at(number, unavailable)
        reasons = services.reencrypt.run(ignore).reasons
        assert reasons.keys() <= {FailureReason.STORAGE_UNAVAILABLE}
        again = move.process(move.b, move.a)
        assert again.reencrypt.run(ignore).failed == 0
        assert not old & data_key_ids(rows)
        assert [tenant.at(again).values() for tenant in tenants] == [VALUES, VALUES]


def test_a_database_that_stays_away_is_the_cause_that_is_told(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    old = data_key_ids(rows)
    services, steps = counting(move)

    def always() -> None:
        steps.before("writing", always)
        raise StorageUnavailable

    steps.before("secrets.reseal", lambda: steps.before("writing", always))
    progress = services.reencrypt.run(ignore)
    assert 0 < progress.failed == progress.reasons[FailureReason.STORAGE_UNAVAILABLE]
    assert move.process(move.b, move.a).reencrypt.run(ignore).failed == 0
    assert not old & data_key_ids(rows)


def unavailable() -> None:
    raise StorageUnavailable


def test_what_was_done_before_an_outage_is_not_done_again(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    interrupt_by_outage(move)
    done = {row["data_key_id"] for row in rows.all("secrets")}
    move.deployment.clock.advance(seconds=1)
    move.process(move.a).reencrypt.run(ignore)
    assert done & data_key_ids(rows)


def data_key_made_since(move: Move) -> str:
    """The id of a new tenant's data key, a day after what there is."""
    move.deployment.clock.advance(days=1)
    newcomer = new_tenant(move.process(move.a))
    newcomer.create("LATER")
    with move.deployment.rows() as rows:
        return str(rows.one("data_keys", account_id=newcomer.caller.account_id)["id"])


def test_a_job_that_goes_on_tells_since_when(move: Move, tenants: list[Tenant]) -> None:
    services = move.process(move.a)
    assert services.reencrypt.unfinished() is None
    began_ms = move.deployment.clock.now_ms
    interrupt_by_outage(move)
    assert services.reencrypt.unfinished() == began_ms
    services.reencrypt.run(ignore)
    assert services.reencrypt.unfinished() is None


def test_a_job_that_goes_on_spares_what_was_made_since(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    interrupt_by_outage(move)
    since = data_key_made_since(move)
    move.process(move.a).reencrypt.run(ignore)
    assert since in data_key_ids(rows)


def test_a_job_that_is_begun_anew_replaces_what_was_made_since_too(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    interrupt_by_outage(move)
    since = data_key_made_since(move)
    move.process(move.a).reencrypt.run(ignore, restart=True)
    assert since not in data_key_ids(rows)


def test_a_dry_run_counts_what_the_job_would_go_on_with(move: Move, tenants: list[Tenant]) -> None:
    interrupt_by_outage(move)
    services = move.process(move.a)
    left = services.reencrypt.run(ignore, dry_run=True).total
    data_key_made_since(move)
    assert services.reencrypt.run(ignore, dry_run=True).total == left
    assert services.reencrypt.run(ignore, dry_run=True, restart=True).total > left


@pytest.mark.parametrize("started_ms", [0, 1, 1_800_000_000_000, 2**62])
def test_a_start_that_was_planted_is_refused(
    move: Move, tenants: list[Tenant], rows: Rows, started_ms: int
) -> None:
    interrupt_by_outage(move)
    rows.edit("deployment", {}, reencrypt_started_ms=started_ms)
    before = move.deployment.snapshot()
    with pytest.raises(TamperedRow):
        move.process(move.a).reencrypt.run(ignore)
    assert move.deployment.snapshot() == before


def test_a_start_that_was_planted_is_overwritten_by_beginning_anew(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    old = data_key_ids(rows)
    rows.edit("deployment", {}, reencrypt_started_ms=0)
    move.process(move.a).reencrypt.run(ignore, restart=True)
    assert not old & data_key_ids(rows)


def test_a_job_that_ended_and_was_put_back_spares_no_data_key(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    interrupt_by_outage(move)
    unfinished = rows.one("deployment")
    services = move.process(move.a)
    services.reencrypt.run(ignore)
    first = data_key_ids(rows)
    move.deployment.clock.advance(days=1)
    rows.edit("deployment", {}, **unfinished)
    services.reencrypt.run(ignore)
    assert not first & data_key_ids(rows)


def interrupt_by_outage(move: Move) -> None:
    """Run the job with a provider that goes down for good after the first tenant."""
    a = Scripted(move.a)
    services = move.deployment.process(keyring=Keyring([a]))
    services.accounts.list()
    a.calls = 0

    def fail_later() -> None:
        move.deployment.clock.advance(seconds=1)
        if a.calls > DATA_KEYS + CALLS_FOR_ONE_TENANT:
            a.down = KeyUnavailable("The provider is down.")

    a.before_call = fail_later
    reasons = services.reencrypt.run(ignore).reasons
    assert 0 < reasons[FailureReason.KEY_UNAVAILABLE] < DATA_KEYS


def test_a_write_that_had_an_old_key_is_not_left_behind_wherever_it_commits(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    fresh = tenants[1]  # its active data key is of an age to be used
    services, steps = counting(move)
    prepared = move.deployment.snapshot()
    services.reencrypt.run(ignore)
    for number, name in enumerate(steps.names, start=1):
        if name not in BETWEEN_TRANSACTIONS:
            continue
        move.deployment.restore(prepared)
        old = data_key_ids(rows)
        with writing_late(fresh, move) as commit:
            services, counted = counting(move)
            counted.at(number, commit)
            assert services.reencrypt.run(ignore).failed == 0
        assert not old & data_key_ids(rows)
        assert fresh.at(move.process(move.b, move.a)).value("NEW") in {"late", VALUES["NEW"]}


@contextmanager
def writing_late(tenant: Tenant, move: Move) -> Iterator[Callable[[], None]]:
    """A write that has its data key, and commits when it is told to, or is refused."""
    services, steps = counting(move)
    has_key, may_write = threading.Event(), threading.Event()

    def wait() -> None:
        has_key.set()
        assert may_write.wait(10)

    with ThreadPoolExecutor(1) as pool:
        steps.before("writing", wait)
        write = pool.submit(tenant.at(services).update, "NEW", "late")
        assert has_key.wait(10)

        def commit() -> None:
            may_write.set()
            assert write.exception(10) is None or isinstance(write.exception(), StorageUnavailable)

        yield commit
