"""A token is redeemed once, for current values, while everything that granted it still does."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused, InvalidRequest, StorageUnavailable
from app.domain.injections import MAX_VALUES_BYTES, InjectionStatus
from tests.support.deployment import Deployment, Tenant
from tests.unit.app.services.steps import Steps, stepped

THREADS = 16
NONCE = "a-nonce-of-at-least-22-characters"


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    tenant.create("A", "value a")
    return tenant


@pytest.fixture
def token(stocked: Tenant) -> Token:
    return stocked.inject("A").token


def is_refused(tenant: Tenant, token: Token, nonce: str | None = None) -> bool:
    try:
        tenant.redeem(token, nonce)
    except InjectionRefused:
        return True
    return False


def test_of_many_threads_exactly_one_gets_the_values(
    deployment: Deployment, stocked: Tenant, *, proving: bool
) -> None:
    processes = [stocked.at(deployment.process()) for _ in range(4)]
    barrier = Barrier(THREADS)

    def redeem(number: int, token: Token) -> bool:
        barrier.wait(10)
        return is_refused(processes[number % 4], token)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(100 if proving else 5):
            token = stocked.inject("A").token
            refused = list(pool.map(lambda number, t=token: redeem(number, t), range(THREADS)))
            assert refused.count(False) == 1


def test_a_second_use_is_refused(stocked: Tenant, token: Token) -> None:
    assert stocked.redeem(token) == {"A": "value a"}
    assert is_refused(stocked, token)


def test_a_second_use_is_an_event_in_the_log(
    stocked: Tenant, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    stocked.redeem(token)
    with caplog.at_level(logging.WARNING, "strongroom.redemption"):
        assert is_refused(stocked, token)
    (record,) = caplog.records
    assert record.message == "injection_reused"
    assert record.__dict__["account_id"] == stocked.caller.account_id


def test_a_second_use_is_an_event_though_the_key_was_revoked_meanwhile(
    stocked: Tenant, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    stocked.redeem(token)
    stocked.services.api_keys.revoke(stocked.caller.account_id, stocked.key.id)
    with caplog.at_level(logging.WARNING, "strongroom.redemption"):
        assert is_refused(stocked, token)
    assert [record.message for record in caplog.records] == ["injection_reused"]


def test_a_first_use_is_nothing_to_alert_on(
    stocked: Tenant, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "strongroom.redemption"):
        stocked.redeem(token)
    assert caplog.records == []


def test_the_values_are_the_current_ones(stocked: Tenant, token: Token) -> None:
    stocked.update("A", "a newer value")
    assert stocked.redeem(token) == {"A": "a newer value"}


def test_a_deleted_secret_is_not_handed_out(stocked: Tenant, token: Token) -> None:
    stocked.delete("A")
    assert is_refused(stocked, token)


def test_a_secret_that_was_made_anew_under_the_name_is_not_handed_out(
    stocked: Tenant, token: Token
) -> None:
    stocked.delete("A")
    stocked.create("A", "of somebody else")
    assert is_refused(stocked, token)


def test_revoking_the_key_that_made_it_kills_the_token(stocked: Tenant, token: Token) -> None:
    stocked.services.api_keys.revoke(stocked.caller.account_id, stocked.key.id)
    assert is_refused(stocked, token)


def test_switching_the_capability_off_kills_the_token(stocked: Tenant, token: Token) -> None:
    stocked.services.accounts.set_devbox(stocked.caller.account_id, devbox=False)
    assert is_refused(stocked, token)


def other_digit(digit: str) -> str:
    return "1" if digit == "0" else "0"


MALFORMED: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "short": lambda text: text[:-1],
    "long": lambda text: text + "0",
    "newline": lambda text: text + "\n",
    "checksum": lambda text: text[:-1] + other_digit(text[-1]),
    "secret": lambda text: text[:60] + other_digit(text[60]) + text[61:],
    "prefix": lambda text: text.replace("injt_", "ak_"),
    "surrogate": lambda text: text[:-1] + "\ud800",
    "other digits": lambda text: text[:-1] + "٣",
}


@pytest.mark.parametrize("change", MALFORMED)
def test_a_malformed_token_is_refused_without_asking_the_database(
    deployment: Deployment, stocked: Tenant, token: Token, change: str
) -> None:
    steps = Steps()
    services = deployment.process(database=stepped(deployment.database, steps))
    assert is_refused(stocked.at(services), Token(MALFORMED[change](token.reveal())))
    assert steps.names == []


def test_an_api_key_is_no_injection_token(stocked: Tenant) -> None:
    assert is_refused(stocked, stocked.key.token)


def test_an_unknown_token_is_refused(stocked: Tenant, token: Token, deployment: Deployment) -> None:
    with deployment.rows() as rows:
        rows.remove("injections")
    assert is_refused(stocked, token)


def test_values_over_a_mebibyte_are_refused_and_leave_the_token_unused(stocked: Tenant) -> None:
    value = "x" * 65_536
    names = [f"BIG{number}" for number in range(16)]
    for name in names:
        stocked.create(name, value)
    issued = stocked.inject(*names)
    with pytest.raises(InvalidRequest):
        stocked.redeem(issued.token)
    view = stocked.services.injections.get(stocked.caller, issued.id)
    assert view.status is InjectionStatus.PENDING
    stocked.update(names[0], "")
    assert len(stocked.redeem(issued.token)) == 16


def test_values_of_exactly_a_mebibyte_are_handed_over(stocked: Tenant) -> None:
    names = [f"BIG{number:02}" for number in range(16)]
    for name in names:
        stocked.create(name, "x" * (MAX_VALUES_BYTES // 16 - len(name)))
    assert len(stocked.values(*names)) == 16


INTERLEAVED: dict[str, tuple[Callable[[Tenant], object], dict[str, str] | None]] = {
    "update": (lambda tenant: tenant.update("A", "replaced"), {"A": "replaced"}),
    "delete": (lambda tenant: tenant.delete("A"), None),
    "revoke the key": (
        lambda tenant: tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id),
        None,
    ),
    "take the capability": (
        lambda tenant: tenant.services.accounts.set_devbox(tenant.caller.account_id, devbox=False),
        None,
    ),
    "re-encrypt": (lambda tenant: tenant.services.reencrypt.run(print), {"A": "value a"}),
}


@pytest.mark.parametrize("change", INTERLEAVED)
def test_what_changes_between_opening_and_marking_is_seen(
    deployment: Deployment, stocked: Tenant, token: Token, change: str
) -> None:
    happens, expected = INTERLEAVED[change]
    steps = Steps()
    racing = stocked.at(deployment.process(database=stepped(deployment.database, steps)))
    steps.before("writing", lambda: happens(stocked))
    if expected is None:
        assert is_refused(racing, token)
    else:
        assert racing.redeem(token) == expected


def test_a_value_that_keeps_changing_leaves_the_token_unused(
    deployment: Deployment, stocked: Tenant, token: Token
) -> None:
    steps = Steps()
    racing = stocked.at(deployment.process(database=stepped(deployment.database, steps)))

    def change_again() -> None:
        stocked.update("A", f"value {len(steps.names)}")
        steps.before("writing", change_again)

    steps.before("writing", change_again)
    with pytest.raises(StorageUnavailable):
        racing.redeem(token)
    assert set(stocked.redeem(token)) == {"A"}


def test_with_its_nonce_the_values_may_be_had_again(
    deployment: Deployment, stocked: Tenant, token: Token
) -> None:
    stocked.redeem(token, NONCE)
    stocked.update("A", "a newer value")
    deployment.clock.advance(seconds=59.999)
    assert stocked.at(deployment.process()).redeem(token, NONCE) == {"A": "a newer value"}


def test_having_them_again_does_not_extend_the_time(
    deployment: Deployment, stocked: Tenant, token: Token
) -> None:
    stocked.redeem(token, NONCE)
    deployment.clock.advance(seconds=40)
    stocked.redeem(token, NONCE)
    deployment.clock.advance(seconds=20)
    assert is_refused(stocked, token, NONCE)


def test_the_nonce_is_good_for_sixty_seconds(
    deployment: Deployment, stocked: Tenant, token: Token
) -> None:
    stocked.redeem(token, NONCE)
    deployment.clock.advance(seconds=60)
    assert is_refused(stocked, token, NONCE)


@pytest.mark.parametrize("nonce", [None, NONCE + "x", NONCE.upper()])
def test_with_another_nonce_or_none_a_used_token_is_refused(
    stocked: Tenant, token: Token, nonce: str | None
) -> None:
    stocked.redeem(token, NONCE)
    assert is_refused(stocked, token, nonce)


def test_a_token_that_was_used_without_a_nonce_is_refused_with_one(
    stocked: Tenant, token: Token
) -> None:
    stocked.redeem(token)
    assert is_refused(stocked, token, NONCE)


@pytest.mark.parametrize("change", ["revoke the key", "take the capability", "delete"])
def test_the_nonce_does_not_bring_back_what_no_longer_grants(
    stocked: Tenant, token: Token, change: str
) -> None:
    stocked.redeem(token, NONCE)
    INTERLEAVED[change][0](stocked)
    assert is_refused(stocked, token, NONCE)


def test_revoking_the_injection_ends_the_nonce(stocked: Tenant) -> None:
    issued = stocked.inject("A")
    stocked.redeem(issued.token, NONCE)
    stocked.services.injections.revoke(stocked.caller, issued.id, None)
    assert is_refused(stocked, issued.token, NONCE)


@pytest.mark.parametrize("nonce", ["", "x" * 21, "x" * 129, "é" * 22, "a b" * 10, "x" * 22 + "\n"])
def test_a_nonce_that_breaks_a_rule_is_refused_and_leaves_the_token_unused(
    stocked: Tenant, token: Token, nonce: str
) -> None:
    with pytest.raises(InvalidRequest):
        stocked.redeem(token, nonce)
    assert stocked.redeem(token, NONCE) == {"A": "value a"}


def test_threads_with_one_nonce_all_get_the_values(stocked: Tenant, token: Token) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: stocked.redeem(token, NONCE), range(8)))
    assert got == [{"A": "value a"}] * 8
