"""The sweep deletes what has ended, in small transactions, and one process at a time does it."""

import pytest

from app.domain.errors import InjectionRefused
from app.domain.idempotency import RetryKey
from app.domain.operations.usage import CountedTable
from app.domain.secrets import SecretValue
from app.services.upkeep.sweep import LEASE_MS, PAUSE_SECONDS, Sweep
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, child_of, new_tenant, sweep, with_key
from tests.unit.app.services.steps import Steps, stepped


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    tenant.create("A", "value a")
    return tenant


def retry(number: int) -> RetryKey:
    return RetryKey(f"request-{number}", b"a request")


def store_answers(tenant: Tenant, count: int) -> None:
    for number in range(count):
        name = f"KEPT_{number}"
        tenant.services.secrets.create(tenant.caller, name, SecretValue(""), retry(number))


def test_answers_of_an_account_that_stopped_writing_are_deleted_once_they_expired(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    store_answers(stocked, 3)
    deployment.clock.advance(seconds=3599)
    sweep(stocked.services)
    assert len(rows.all("stored_responses")) == 3
    deployment.clock.advance(seconds=2)
    sweep(stocked.services)
    assert rows.all("stored_responses") == []


def test_a_write_deletes_at_most_100_answers(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    store_answers(stocked, 1)
    expired = rows.one("stored_responses")
    for number in range(250):
        rows.plant("stored_responses", {**expired, "request_id": f"planted-{number}"})
    deployment.clock.advance(seconds=3601)
    stocked.services.secrets.create(stocked.caller, "NEXT", SecretValue(""), RetryKey("next", b""))
    assert len(rows.all("stored_responses")) == 251 - 100 + 1


def test_injections_are_deleted_30_days_after_their_end(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    stocked.redeem(stocked.inject("A").token)
    stocked.inject("A")
    deployment.clock.advance(days=30, seconds=299)
    sweep(stocked.services)
    assert len(rows.all("injections")) == 2
    deployment.clock.advance(seconds=2)
    sweep(stocked.services)
    assert rows.all("injections") == []


def test_the_retention_is_a_setting(deployment: Deployment, stocked: Tenant, rows: Rows) -> None:
    stocked.inject("A")
    deployment.clock.advance(days=2)
    sweep(deployment.process(STRONGROOM_RETENTION_DAYS="1"))
    assert rows.all("injections") == []


def test_an_injection_that_lives_is_never_deleted(deployment: Deployment, stocked: Tenant) -> None:
    token = stocked.inject("A").token
    sweep(deployment.process(STRONGROOM_RETENTION_DAYS="1"))
    assert stocked.redeem(token) == {"A": "value a"}


def test_a_new_injection_deletes_at_most_100_that_ended(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    for _ in range(150):
        stocked.inject("A")
    deployment.clock.advance(days=31)
    stocked.inject("A")
    assert len(rows.all("injections")) == 51
    stocked.inject("A")
    assert len(rows.all("injections")) == 2


def test_a_token_whose_injection_was_deleted_is_refused(
    deployment: Deployment, stocked: Tenant
) -> None:
    token = stocked.inject("A").token
    deployment.clock.advance(days=31)
    sweep(stocked.services)
    with pytest.raises(InjectionRefused):
        stocked.redeem(token)


def test_dead_api_keys_are_deleted_after_the_retention_and_live_ones_stay(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    account_id = stocked.caller.account_id
    revoked = with_key(stocked.services, account_id).key.id
    stocked.services.api_keys.revoke(account_id, revoked)
    later = deployment.clock() + 1000
    expired = with_key(stocked.services, account_id, expires_at_ms=later).key.id
    deployment.clock.advance(days=29)
    sweep(stocked.services)
    assert {revoked, expired} < {row["id"] for row in rows.all("api_keys")}
    deployment.clock.advance(days=2)
    sweep(stocked.services)
    assert [row["id"] for row in rows.all("api_keys")] == [stocked.key.id]


def test_an_api_key_stays_as_long_as_an_injection_that_it_made(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    maker = with_key(stocked.services, stocked.caller.account_id)
    stocked.services.api_keys.revoke(stocked.caller.account_id, maker.key.id)
    deployment.clock.advance(days=15)
    maker.inject("A")  # a request that had begun before
    deployment.clock.advance(days=20)
    sweep(stocked.services)
    assert maker.key.id in {row["id"] for row in rows.all("api_keys")}
    deployment.clock.advance(days=20)
    sweep(stocked.services)
    assert maker.key.id not in {row["id"] for row in rows.all("api_keys")}


def test_keys_below_a_revoked_one_go_before_it(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    root = with_key(stocked.services, stocked.caller.account_id)
    child = child_of(root)
    grandchild = child_of(child)
    stocked.services.api_keys.revoke(stocked.caller.account_id, root.key.id)
    deployment.clock.advance(days=31)
    left = []
    for _ in range(3):
        sweep(stocked.services)
        left.append({row["id"] for row in rows.all("api_keys")} - {stocked.key.id})
    assert grandchild.key.id not in left[0]
    assert left == [{root.key.id, child.key.id}, {root.key.id}, set()]


def test_keys_below_one_that_cannot_be_read_stay(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    root = with_key(stocked.services, stocked.caller.account_id)
    child = child_of(root)
    rows.edit("api_keys", {"id": root.key.id}, scopes="damaged")
    deployment.clock.advance(days=31)
    sweep(stocked.services)
    assert child.key.id in {row["id"] for row in rows.all("api_keys")}


def test_a_damaged_row_stops_no_sweep(deployment: Deployment, stocked: Tenant, rows: Rows) -> None:
    other = new_tenant(stocked.services)
    other.create("A")
    other.inject("A")
    rows.edit("accounts", {"id": stocked.caller.account_id}, devbox=7)
    rows.edit("api_keys", {"id": stocked.key.id}, scopes="everything", revoked_at_ms=1)
    deployment.clock.advance(days=31)
    sweep(other.services)
    assert rows.all("injections") == []
    assert stocked.key.id in {row["id"] for row in rows.all("api_keys")}


def test_no_transaction_of_the_sweep_deletes_more_than_100_rows(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    for _ in range(250):
        stocked.inject("A")
    deployment.clock.advance(days=31)
    steps = Steps()
    sweep(deployment.process(database=stepped(deployment.database, steps)))
    assert steps.names.count("injections.delete_ended") == 3
    assert rows.all("injections") == []


def test_an_idle_pass_writes_only_its_lease(deployment: Deployment, stocked: Tenant) -> None:
    sweep(stocked.services)
    steps = Steps()
    deployment.clock.advance(seconds=60)
    sweep(deployment.process(database=stepped(deployment.database, steps)))
    leases = steps.names.count("leases.take") + steps.names.count("leases.give_up")
    assert steps.names.count("writing") == leases == 2


class Age:
    """Seconds that pass only when somebody looks, a little each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def sweep_of(deployment: Deployment, steps: Steps, age: Age) -> Sweep:
    """The sweep of another process, whose work takes the time that ``age`` says."""
    services = deployment.process(database=stepped(deployment.database, steps))
    services.sweep._age = age
    return services.sweep


def counts_of(steps: Steps) -> int:
    return steps.names.count("usage.tally")


def test_one_run_works_for_a_short_time_and_the_next_goes_on(
    deployment: Deployment, services: object, stocked: Tenant
) -> None:
    for _ in range(30):
        new_tenant(stocked.services)
    steps, age = Steps(), Age()
    running = sweep_of(deployment, steps, age)
    running.run()
    first = counts_of(steps)
    assert 0 < first < 31 * len(CountedTable)
    while running._steps is not None:
        running.run()
    assert counts_of(steps) == 31 * len(CountedTable)


def test_a_pass_is_followed_by_a_pause(deployment: Deployment, stocked: Tenant) -> None:
    steps, age = Steps(), Age()
    running = sweep_of(deployment, steps, age)
    running.run()
    first = counts_of(steps)
    running.run()
    assert counts_of(steps) == first > 0
    age.now += PAUSE_SECONDS
    running.run()
    assert counts_of(steps) == 2 * first


def test_one_process_at_a_time_sweeps(deployment: Deployment, stocked: Tenant) -> None:
    for _ in range(30):
        new_tenant(stocked.services)
    steps = [Steps(), Steps()]
    ages = [Age(), Age()]
    first, second = (sweep_of(deployment, steps[n], ages[n]) for n in range(2))
    first.run()
    assert first._steps is not None
    second.run()
    assert counts_of(steps[1]) == 0
    deployment.clock.advance(seconds=LEASE_MS / 1000 + 1)  # the first one died
    ages[1].now += PAUSE_SECONDS
    second.run()
    assert counts_of(steps[1]) > 0


def test_a_process_that_lost_its_lease_stops(deployment: Deployment, stocked: Tenant) -> None:
    for _ in range(30):
        new_tenant(stocked.services)
    steps = [Steps(), Steps()]
    ages = [Age(), Age()]
    first, second = (sweep_of(deployment, steps[n], ages[n]) for n in range(2))
    first.run()
    before = counts_of(steps[0])
    deployment.clock.advance(seconds=LEASE_MS / 1000 + 1)  # the first one was suspended
    second.run()
    ages[0].now += LEASE_MS / 1000
    first.run()
    assert counts_of(steps[0]) == before


def test_a_pass_that_failed_begins_anew(deployment: Deployment, stocked: Tenant) -> None:
    steps, age = Steps(), Age()
    running = sweep_of(deployment, steps, age)

    def fail() -> None:
        raise RuntimeError

    steps.before("usage.tally", fail)
    with pytest.raises(RuntimeError):
        running.run()
    age.now += PAUSE_SECONDS
    steps.names.clear()
    running.run()
    assert counts_of(steps) == len(CountedTable)
