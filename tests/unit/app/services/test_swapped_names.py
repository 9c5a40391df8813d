"""Names that are exchanged in the database, for a moment or for good: no other value comes out.

``PUBLIC_TOKEN`` and ``PROD_DB_PASSWORD`` are exchanged while somebody honest uses the API.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import DomainError, TamperedRow
from app.domain.secrets import Secret, SecretRef, SecretValue
from backends.errors import KeyProviderError
from tests.support.databases import Rows
from tests.support.deployment import Tenant

HARMLESS = "PUBLIC_TOKEN"
PRIVATE = "PROD_DB_PASSWORD"
VALUES = {HARMLESS: "everybody may know", PRIVATE: "nobody may know"}


@pytest.fixture
def made(tenant: Tenant) -> dict[str, Secret]:
    return {name: tenant.create(name, value) for name, value in VALUES.items()}


Exchange = Callable[[], None]
Update = Callable[[Tenant, Secret, SecretValue], Secret]


@pytest.fixture(params=["name", "id"])
def exchange(request: pytest.FixtureRequest, made: dict[str, Secret], rows: Rows) -> Exchange:
    """Exchanges one column of the two secrets, and all that depends on it, or back again."""
    column = request.param
    ours = made[HARMLESS], made[PRIVATE]
    other = "id" if column == "name" else "name"

    def exchange() -> None:
        fixed = [getattr(secret, other) for secret in ours]
        now = [rows.one("secrets", **{other: each})[column] for each in fixed]
        rows.edit("secrets", {other: fixed[0]}, **{column: "moving"})
        rows.edit("secrets", {other: fixed[1]}, **{column: now[0]})
        rows.edit("secrets", {other: fixed[0]}, **{column: now[1]})

    return exchange


@contextmanager
def exchanged(exchange: Exchange) -> Iterator[None]:
    exchange()
    yield
    exchange()


def redeemed(tenant: Tenant, token: Token) -> dict[str, str]:
    """The values that are handed over, if any."""
    try:
        return tenant.redeem(token)
    except (DomainError, KeyProviderError):
        return {}


def inject(tenant: Tenant, ref: str) -> Token:
    return tenant.services.injections.create(tenant.caller, {"VAR": ref}, 300, None).token


def test_a_name_that_was_another_secrets_while_the_injection_was_made_is_refused(
    tenant: Tenant, exchange: Exchange
) -> None:
    with exchanged(exchange):
        token = inject(tenant, HARMLESS)
    with pytest.raises(TamperedRow, match=r"The row sec_\w+ of secrets"):
        tenant.redeem(token)


def test_a_name_that_stays_exchanged_opens_nothing(tenant: Tenant, exchange: Exchange) -> None:
    exchange()
    assert redeemed(tenant, inject(tenant, HARMLESS)) == {}


def test_a_name_that_is_exchanged_after_the_injection_was_made_opens_nothing(
    tenant: Tenant, exchange: Exchange
) -> None:
    token = inject(tenant, HARMLESS)
    exchange()
    assert redeemed(tenant, token) == {}


def test_an_id_that_was_another_secrets_while_the_injection_was_made_gives_its_own_or_nothing(
    tenant: Tenant, made: dict[str, Secret], exchange: Exchange
) -> None:
    with exchanged(exchange):
        token = inject(tenant, made[HARMLESS].id)
    assert redeemed(tenant, token) in ({}, {"VAR": VALUES[HARMLESS]})


def test_the_refused_token_stays_unused(tenant: Tenant, exchange: Exchange, rows: Rows) -> None:
    with exchanged(exchange):
        token = inject(tenant, HARMLESS)
    assert redeemed(tenant, token) == {}
    assert rows.one("injections")["state"] == "pending"


@pytest.mark.parametrize("by_id", [False, True], ids=["by name", "by id"])
@pytest.mark.parametrize("back", [False, True], ids=["left", "exchanged back"])
@pytest.mark.parametrize("asked", ["name", "id"])
def test_a_value_that_is_sent_for_one_secret_never_becomes_the_others(
    tenant: Tenant,
    made: dict[str, Secret],
    exchange: Exchange,
    *,
    by_id: bool,
    back: bool,
    asked: str,
) -> None:
    """Sent while the two are exchanged."""
    before = inject(tenant, getattr(made[PRIVATE], asked))
    exchange()
    ref = SecretRef.by_id(made[HARMLESS].id) if by_id else SecretRef.by_name(HARMLESS)
    with suppress(TamperedRow):
        tenant.services.secrets.update(tenant.caller, ref, SecretValue("sent for all"), None)
    if back:
        exchange()
    given = [
        redeemed(tenant, token) for token in (before, inject(tenant, getattr(made[PRIVATE], asked)))
    ]
    assert all(each in ({}, {"VAR": VALUES[PRIVATE]}) for each in given)


def test_an_update_of_an_exchanged_secret_is_refused_and_changes_nothing(
    tenant: Tenant, exchange: Exchange, rows: Rows
) -> None:
    exchange()
    before = rows.all("secrets")
    with pytest.raises(TamperedRow, match="secrets"):
        tenant.update(HARMLESS, "a new value")
    assert rows.all("secrets") == before


def test_an_exchanged_secret_is_still_deleted_and_made_anew(
    tenant: Tenant, exchange: Exchange
) -> None:
    exchange()
    tenant.delete(HARMLESS)
    tenant.create(HARMLESS, "a new value")
    assert tenant.value(HARMLESS) == "a new value"
