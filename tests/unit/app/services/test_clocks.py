"""The wall clock is set, in both directions and by any amount: nothing lives longer for it.

A step of up to a minute is what two nodes may differ by. A process that has run for an hour knows
by then which time it is, and follows no step back; a new one, as after a restart, has to.
"""

import secrets
import uuid

import pytest
import uuid_utils

from app.domain.access.api_keys import IssuedApiKey
from app.domain.errors import (
    InjectionRefused,
    RequestIdUnusable,
    SecretNameExists,
    Unauthenticated,
)
from app.domain.idempotency import RetryKey
from app.domain.injections import NONCE_WINDOW_MS, InjectionStatus
from app.domain.secrets import Secret, SecretFilter, SecretValue
from app.services.rows.damaged_rows import damaged_rows
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, sweep, with_key

HOUR = 60 * 60
TEN_YEARS = 10 * 365 * 24 * HOUR
TOLERATED = [-59, -1, 0, 1, 59]
BEYOND = [61, HOUR, TEN_YEARS]
TTL = 300
NONCE = "n" * 22
RETRY = RetryKey("request-1", b'POST /v1/secrets {"name": "A"}')


@pytest.fixture
def holder(tenant: Tenant) -> Tenant:
    """An account with a secret."""
    tenant.create("A")
    return tenant


@pytest.fixture
def seasoned(deployment: Deployment, holder: Tenant) -> Tenant:
    """The same through a process that has run for an hour."""
    deployment.clock.advance(seconds=HOUR)
    holder.authenticate()
    return holder


def create(tenant: Tenant, name: str = "R") -> Secret:
    return tenant.services.secrets.create(tenant.caller, name, SecretValue("a value"), RETRY)


# Injection tokens


@pytest.mark.parametrize("seconds", TOLERATED)
def test_a_token_is_good_on_a_node_whose_clock_differs_by_less_than_a_minute(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    token = holder.inject("A").token
    deployment.clock.set(seconds=seconds)
    assert holder.at(deployment.process()).redeem(token) == {"A": "a value"}


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_token_is_refused_once_the_clock_was_set_back_before_its_life(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    token = holder.inject("A").token
    deployment.clock.set(seconds=-seconds)
    with pytest.raises(InjectionRefused):
        holder.redeem(token)


@pytest.mark.parametrize("seconds", [1, 59, *BEYOND])
def test_a_clock_set_back_neither_ends_nor_prolongs_a_token_where_the_step_was_seen(
    deployment: Deployment, seasoned: Tenant, seconds: int
) -> None:
    used, unused = seasoned.inject("A").token, seasoned.inject("A").token
    deployment.clock.set(seconds=-seconds)
    deployment.clock.advance(seconds=TTL - 1)
    assert seasoned.redeem(used) == {"A": "a value"}
    deployment.clock.advance(seconds=1)
    with pytest.raises(InjectionRefused):
        seasoned.redeem(unused)


@pytest.mark.parametrize("seconds", [TTL, HOUR, TEN_YEARS])
def test_a_token_is_refused_once_the_clock_was_set_forward_beyond_its_life(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    token = holder.inject("A").token
    deployment.clock.set(seconds=seconds)
    with pytest.raises(InjectionRefused):
        holder.redeem(token)


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_token_from_the_future_is_shown_as_expired(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    made = holder.inject("A")
    deployment.clock.set(seconds=-seconds)
    view = holder.services.injections.get(holder.caller, made.id)
    assert view.status is InjectionStatus.EXPIRED


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_token_made_under_a_wrong_clock_is_not_good_for_longer_than_it_was_given(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    deployment.clock.set(seconds=seconds)
    token = holder.inject("A").token
    deployment.clock.set(seconds=-seconds)
    deployment.clock.advance(seconds=TTL + 61)
    with pytest.raises(InjectionRefused):
        holder.redeem(token)


def test_a_moment_of_a_wrong_clock_ends_nothing(deployment: Deployment, seasoned: Tenant) -> None:
    token = seasoned.inject("A").token
    deployment.clock.set(seconds=TEN_YEARS)
    with pytest.raises(InjectionRefused):
        seasoned.redeem(token)
    deployment.clock.set(seconds=-TEN_YEARS)
    assert seasoned.redeem(token) == {"A": "a value"}


# A lost answer that is asked for again


@pytest.mark.parametrize("seconds", [-59, -1, 1, 59])
def test_a_lost_answer_may_be_had_again_on_a_node_whose_clock_differs(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    token = holder.inject("A").token
    holder.redeem(token, NONCE)
    deployment.clock.set(seconds=seconds)
    assert holder.redeem(token, NONCE) == {"A": "a value"}


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61, NONCE_WINDOW_MS // 1000, TEN_YEARS])
def test_a_clock_that_was_set_opens_no_token_again(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    token = holder.inject("A").token
    holder.redeem(token, NONCE)
    deployment.clock.set(seconds=seconds)
    with pytest.raises(InjectionRefused):
        holder.redeem(token, NONCE)


# API keys


def short(deployment: Deployment, tenant: Tenant) -> IssuedApiKey:
    """A key that lives for an hour."""
    expiry = deployment.clock.now_ms + HOUR * 1000
    return with_key(tenant.services, tenant.caller.account_id, expires_at_ms=expiry).key


@pytest.mark.parametrize("seconds", TOLERATED)
def test_a_key_is_good_on_a_node_whose_clock_differs_by_less_than_a_minute(
    deployment: Deployment, tenant: Tenant, seconds: int
) -> None:
    key = short(deployment, tenant)
    deployment.clock.set(seconds=seconds)
    assert deployment.process().authentication.authenticate(key.token).api_key_id == key.id


@pytest.mark.parametrize("seconds", [1, 61, HOUR // 2, TEN_YEARS])
def test_a_key_ends_in_time_though_the_clock_was_set_back(
    deployment: Deployment, seasoned: Tenant, seconds: int
) -> None:
    key = short(deployment, seasoned)
    deployment.clock.advance(seconds=HOUR // 2)
    deployment.clock.set(seconds=-seconds)
    assert seasoned.services.authentication.authenticate(key.token).api_key_id == key.id
    deployment.clock.advance(seconds=HOUR // 2)
    with pytest.raises(Unauthenticated):
        seasoned.services.authentication.authenticate(key.token)


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61, HOUR, TEN_YEARS])
def test_a_key_that_expires_is_refused_outside_of_its_life(
    deployment: Deployment, tenant: Tenant, seconds: int
) -> None:
    key = short(deployment, tenant)
    deployment.clock.set(seconds=seconds)
    with pytest.raises(Unauthenticated):
        tenant.services.authentication.authenticate(key.token)


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61, HOUR, TEN_YEARS])
def test_a_key_that_never_expires_has_no_life_that_a_clock_could_end(
    deployment: Deployment, tenant: Tenant, seconds: int
) -> None:
    deployment.clock.set(seconds=seconds)
    assert tenant.authenticate().api_key_id == tenant.key.id


@pytest.mark.parametrize("seconds", [-TEN_YEARS, TEN_YEARS])
def test_a_revoked_key_stays_revoked(deployment: Deployment, tenant: Tenant, seconds: int) -> None:
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    deployment.clock.set(seconds=seconds)
    with pytest.raises(Unauthenticated):
        tenant.authenticate()


# Data keys


def made(rows: Rows, tenant: Tenant) -> int:
    return len(rows.all("data_keys", account_id=tenant.caller.account_id))


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61, -1, 1, 61, HOUR, TEN_YEARS])
def test_a_clock_that_was_just_set_replaces_no_data_key(
    deployment: Deployment, holder: Tenant, rows: Rows, seconds: int
) -> None:
    for step in (seconds, -seconds, seconds, -seconds):
        deployment.clock.set(seconds=step)
        holder.update("A", "another value")
        deployment.clock.advance(seconds=60)
    assert made(rows, holder) == 1


@pytest.mark.parametrize("seconds", [-TEN_YEARS, TEN_YEARS])
def test_a_data_key_of_another_time_is_replaced_once_the_clock_has_stayed(
    deployment: Deployment, holder: Tenant, rows: Rows, seconds: int
) -> None:
    deployment.clock.set(seconds=seconds)
    for _ in range(3):
        holder.update("A", "another value")
        deployment.clock.advance(seconds=HOUR)
    assert made(rows, holder) == 2


def test_nodes_whose_clocks_differ_by_years_replace_a_data_key_at_most_once_an_hour(
    deployment: Deployment, holder: Tenant, rows: Rows
) -> None:
    one = holder.at(deployment.process())
    deployment.clock.set(seconds=TEN_YEARS)
    other = holder.at(deployment.process())
    for _ in range(20):
        other.update("A", "a value from the future")
        deployment.clock.set(seconds=-TEN_YEARS)
        one.update("A", "a value")
        deployment.clock.set(seconds=TEN_YEARS)
        deployment.clock.advance(seconds=60)
    assert made(rows, holder) <= 3


# Idempotency


@pytest.mark.parametrize("seconds", [-59, -1, 1, 59])
def test_a_retry_gets_its_answer_on_a_node_whose_clock_differs(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    first = create(holder)
    deployment.clock.set(seconds=seconds)
    assert create(holder) == first


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61, HOUR, TEN_YEARS])
def test_a_retry_after_the_clock_was_set_is_not_done_twice(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    create(holder)
    holder.delete("R")
    deployment.clock.set(seconds=seconds)
    with pytest.raises(RequestIdUnusable):
        create(holder)
    assert holder.names() == ["A"]


@pytest.mark.parametrize("seconds", [HOUR, TEN_YEARS])
def test_writes_after_a_step_leave_what_a_retry_needs(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    first = create(holder)
    deployment.clock.set(seconds=seconds)
    other = RetryKey("request-2", b"another")
    holder.services.secrets.create(holder.caller, "B", SecretValue("a value"), other)
    deployment.clock.set(seconds=-seconds)
    assert create(holder) == first


def test_an_hour_after_a_step_the_clock_is_believed(deployment: Deployment, holder: Tenant) -> None:
    create(holder)
    deployment.clock.set(seconds=HOUR)
    with pytest.raises(RequestIdUnusable):
        create(holder)
    deployment.clock.advance(seconds=HOUR)
    with pytest.raises(SecretNameExists):
        create(holder)


@pytest.mark.parametrize("seconds", BEYOND)
def test_an_answer_from_the_future_is_not_repeated(
    deployment: Deployment, holder: Tenant, seconds: int
) -> None:
    deployment.clock.set(seconds=seconds)
    create(holder)
    deployment.clock.set(seconds=-seconds)
    with pytest.raises(RequestIdUnusable):
        create(holder)


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_retry_gets_its_answer_where_a_step_back_was_seen(
    deployment: Deployment, seasoned: Tenant, seconds: int
) -> None:
    first = create(seasoned)
    deployment.clock.set(seconds=-seconds)
    assert create(seasoned) == first


def test_an_answer_from_the_future_is_forgotten_an_hour_after_it_was_seen(
    deployment: Deployment, holder: Tenant, rows: Rows
) -> None:
    deployment.clock.set(seconds=TEN_YEARS)
    create(holder)
    deployment.clock.set(seconds=-TEN_YEARS)
    restarted = holder.at(deployment.process())
    sweep(restarted.services)
    with pytest.raises(RequestIdUnusable):
        create(restarted)
    deployment.clock.advance(seconds=HOUR)
    sweep(restarted.services)
    assert rows.all("stored_responses") == []


def test_the_sweep_forgets_nothing_early_where_the_clock_was_set_forward(
    deployment: Deployment, seasoned: Tenant, rows: Rows
) -> None:
    create(seasoned)
    made = seasoned.inject("A")
    deployment.clock.set(seconds=TEN_YEARS)
    sweep(seasoned.services)
    assert len(rows.all("stored_responses")) == 1
    assert rows.one("injections", id=made.id)


# Data keys and damage under a wrong clock


def test_reencryption_replaces_a_data_key_that_a_wrong_clock_made(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    deployment.clock.set(seconds=TEN_YEARS)
    tenant.create("A")
    before = rows.one("data_keys", account_id=tenant.caller.account_id)["id"]
    deployment.clock.set(seconds=-TEN_YEARS)
    operator = deployment.process()
    assert not operator.reencrypt.run(lambda _: None).reasons
    assert rows.one("data_keys", account_id=tenant.caller.account_id)["id"] != before
    assert operator.reencrypt.unfinished() is None


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -61])
def test_a_damaged_key_is_not_passed_over_because_the_clock_was_set_back(
    deployment: Deployment, tenant: Tenant, rows: Rows, seconds: int
) -> None:
    key = short(deployment, tenant)
    rows.edit("api_keys", {"id": key.id}, name="another name")
    deployment.clock.set(seconds=seconds)
    opened = deployment.process().checkup._system_key.opened()
    found = damaged_rows(deployment.database, opened, deployment.clock())
    assert [each.id for each in found] == [key.id]


# Check


def test_check_warns_of_a_clock_that_is_behind_the_deployment(deployment: Deployment) -> None:
    deployment.clock.set(seconds=-61)
    findings = deployment.process().checkup.run()
    assert [each for each in findings.warnings if "clock is behind" in each]
    assert findings.ok


@pytest.mark.parametrize("seconds", [-59, 0, TEN_YEARS])
def test_check_is_silent_about_a_clock_that_may_be_right(
    deployment: Deployment, seconds: int
) -> None:
    deployment.clock.set(seconds=seconds)
    findings = deployment.process().checkup.run()
    assert not [each for each in findings.warnings if "clock" in each]


# Lists and times


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -1, 1, HOUR, TEN_YEARS])
def test_pages_hold_every_secret_once_though_ids_go_back(
    monkeypatch: pytest.MonkeyPatch, deployment: Deployment, tenant: Tenant, seconds: int
) -> None:
    now_ms = deployment.clock.now_ms

    def new_uuid() -> uuid.UUID:
        nonlocal now_ms
        now_ms += 1
        return uuid.UUID(int=now_ms << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))

    monkeypatch.setattr(uuid_utils, "uuid7", new_uuid)
    for number in range(6):
        tenant.create(f"A{number}")
        now_ms += (-1) ** number * seconds * 1000
    seen: list[str] = []
    after, has_more = None, True
    while has_more:
        page = tenant.services.secrets.list(
            tenant.caller, SecretFilter(), 2, after, with_total=False
        )
        tenant.create(f"B{len(seen)}")  # meanwhile, at whatever place
        seen += [each.name for each in page.secrets]
        after, has_more = page.secrets[-1].id, page.has_more
    assert sorted(name for name in seen if name.startswith("A")) == [f"A{n}" for n in range(6)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -1, 1, HOUR, TEN_YEARS])
def test_update_times_do_not_go_back(deployment: Deployment, holder: Tenant, seconds: int) -> None:
    times = []
    for step in (seconds, -seconds, 0):
        deployment.clock.set(seconds=step)
        updated = holder.update("A", "another value")
        times.append(updated.update_time_ms)
        assert updated.update_time_ms >= updated.create_time_ms
    assert times == sorted(times)
