"""Rows that were read for one redemption serve the next, as long as they are unchanged."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused
from app.domain.injections import BoundSecret, Injection, InjectionState, bind
from app.domain.secrets import SealedValue
from app.services.redeeming.sealed_secret_cache import MAX_BYTES, TTL_MS, SealedSecretCache
from backends.errors import DecryptionError
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant
from tests.unit.app.services.steps import Steps, stepped

READ_ANEW = ["reading", "injections.get_grant", "secrets.sealed"]
TAKEN_AS_KEPT = ["reading", "injections.get_grant", "data_keys.find"]
MARKED = ["writing", "injections.replace_if_granted"]
MARKED += ["audit_events.take_place", "audit_events.add", "commit", "committed"]


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def warm(deployment: Deployment, tenant: Tenant, steps: Steps) -> Tenant:
    """Through a process that has redeemed an injection of these secrets before."""
    tenant.create("A", "value a")
    tenant.create("B", "value b")
    warm = tenant.at(deployment.process(database=stepped(deployment.database, steps)))
    assert warm.values("A", "B") == {"A": "value a", "B": "value b"}
    return warm


@pytest.fixture
def token(warm: Tenant, steps: Steps) -> Token:
    """Of the next injection."""
    token = warm.inject("A", "B").token
    steps.names.clear()
    return token


def test_the_next_redemption_reads_no_secret(warm: Tenant, token: Token, steps: Steps) -> None:
    assert warm.redeem(token) == {"A": "value a", "B": "value b"}
    assert steps.names == TAKEN_AS_KEPT + MARKED


def test_a_value_that_was_replaced_elsewhere_is_read_anew(
    warm: Tenant, tenant: Tenant, token: Token
) -> None:
    tenant.update("B", "a newer value")
    assert warm.redeem(token) == {"A": "value a", "B": "a newer value"}


def test_a_value_that_was_replaced_is_kept_from_then_on(
    warm: Tenant, tenant: Tenant, steps: Steps
) -> None:
    tenant.update("B", "a newer value")
    tokens = [warm.inject("A", "B").token for _ in range(2)]
    warm.redeem(tokens[0])
    steps.names.clear()
    warm.redeem(tokens[1])
    assert steps.names == TAKEN_AS_KEPT + MARKED


def test_a_secret_that_was_deleted_is_not_handed_out(
    warm: Tenant, tenant: Tenant, token: Token
) -> None:
    tenant.delete("B")
    with pytest.raises(InjectionRefused):
        warm.redeem(token)


def test_a_value_that_was_damaged_is_refused(warm: Tenant, token: Token, rows: Rows) -> None:
    damaged = bytes(len(rows.one("secrets", name="B")["envelope"]))
    rows.edit("secrets", {"name": "B"}, envelope=damaged)
    with pytest.raises(DecryptionError):
        warm.redeem(token)


def test_an_older_row_that_was_put_back_and_replaced_is_read_anew(
    warm: Tenant, tenant: Tenant, rows: Rows
) -> None:
    """The version and the time of what was kept come again, with another value."""
    older = rows.one("secrets", name="B")
    tenant.update("B", "kept")
    assert warm.value("B") == "kept"
    rows.edit("secrets", {"name": "B"}, version=older["version"], envelope=older["envelope"])
    tenant.update("B", "the current value")
    assert warm.value("B") == "the current value"


def test_values_are_read_anew_once_their_data_key_is_gone(
    warm: Tenant, tenant: Tenant, token: Token, steps: Steps
) -> None:
    tenant.services.reencrypt.run(lambda _: None)
    assert warm.redeem(token) == {"A": "value a", "B": "value b"}
    assert steps.names == [*TAKEN_AS_KEPT, "secrets.sealed", *MARKED]


def test_nothing_is_kept_for_more_than_five_minutes(
    deployment: Deployment, warm: Tenant, steps: Steps
) -> None:
    for _ in range(2):  # what is used is kept no longer
        deployment.clock.advance(seconds=TTL_MS / 2000)
        token = warm.inject("A", "B").token
        steps.names.clear()
        warm.redeem(token)
    assert steps.names == READ_ANEW + MARKED


INJECTION = Injection(
    account_id="acct_1",
    id="inj_1",
    api_key_id="key_1",
    bound=bind([BoundSecret("A", "sec_1", "A")]),
    token_digest=bytes(32),
    state=InjectionState.PENDING,
    created_at_ms=0,
    expires_at_ms=1,
)
OTHERS: dict[str, Callable[[Injection], Injection]] = {
    "another account": lambda injection: replace(injection, account_id="acct_2"),
    "other secrets": lambda injection: replace(
        injection, bound=bind([BoundSecret("A", "sec_2", "A")])
    ),
}


def sealed(envelope_bytes: int) -> tuple[SealedValue, ...]:
    return (SealedValue("sec_1", "A", "dk_1", bytes(envelope_bytes), 1),)


@pytest.fixture
def kept() -> SealedSecretCache:
    return SealedSecretCache(lambda: 0)


@pytest.mark.parametrize("other", OTHERS)
def test_secrets_are_kept_for_their_account_and_no_other_map(
    kept: SealedSecretCache, other: str
) -> None:
    kept.put(INJECTION, sealed(100))
    assert kept.find(OTHERS[other](INJECTION)) is None


def test_too_much_is_not_kept(kept: SealedSecretCache) -> None:
    kept.put(INJECTION, sealed(MAX_BYTES))
    assert kept.find(INJECTION) is None


def test_what_is_kept_is_bounded(kept: SealedSecretCache) -> None:
    injections = [replace(INJECTION, account_id=f"acct_{number}") for number in range(5)]
    for injection in injections:
        kept.put(injection, sealed(MAX_BYTES // 4))
    assert sum(kept.find(injection) is not None for injection in injections) == 3


def test_the_map_by_which_secrets_are_found_counts(kept: SealedSecretCache) -> None:
    injections = [replace(INJECTION, bound=f"{number}" * (MAX_BYTES // 4)) for number in range(5)]
    for injection in injections:
        kept.put(injection, sealed(100))
    assert sum(kept.find(injection) is not None for injection in injections) == 3
