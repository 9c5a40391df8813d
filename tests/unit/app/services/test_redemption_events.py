"""Every redemption is one event in the log, refused or not, with the ids of what it was about."""

import logging
from collections.abc import Callable
from contextlib import suppress

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import DomainError
from app.domain.ids import INJECTION, new_id
from app.domain.injections import IssuedInjection
from backends.errors import KeyProviderError
from tests.support.databases import Rows
from tests.support.deployment import Tenant, readdressed

NONCE = "n" * 22
Event = dict[str, object]
IDS = ("account_id", "injection_id", "api_key_id", "secret_ids")


@pytest.fixture
def injection(tenant: Tenant) -> IssuedInjection:
    tenant.create("A", "value a")
    tenant.create("B", "value b")
    return tenant.inject("A", "B")


@pytest.fixture
def known(tenant: Tenant, injection: IssuedInjection, rows: Rows) -> Event:
    """All ids of the injection."""
    return {
        "account_id": tenant.caller.account_id,
        "injection_id": injection.id,
        "api_key_id": tenant.key.id,
        "secret_ids": [rows.one("secrets", name=name)["id"] for name in ("A", "B")],
    }


def events(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, token: Token, nonce: str | None = None
) -> list[tuple[str, Event]]:
    """The events of one redemption, each by its name and its ids."""
    caplog.clear()
    refused = suppress(DomainError, KeyProviderError)
    with caplog.at_level(logging.DEBUG, "strongroom.redemption"), refused:
        tenant.redeem(token, nonce)
    return [
        (record.message, {name: record.__dict__[name] for name in IDS}) for record in caplog.records
    ]


def test_one_that_hands_over(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, injection: IssuedInjection, known: Event
) -> None:
    assert events(caplog, tenant, injection.token) == [("injection_redeemed", known)]


def test_one_that_hands_over_again(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, injection: IssuedInjection, known: Event
) -> None:
    tenant.redeem(injection.token, NONCE)
    assert events(caplog, tenant, injection.token, NONCE) == [("injection_repeated", known)]


def test_a_second_use(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, injection: IssuedInjection, known: Event
) -> None:
    tenant.redeem(injection.token)
    assert events(caplog, tenant, injection.token) == [("injection_reused", known)]


REFUSALS: dict[str, Callable[[Tenant, IssuedInjection], object]] = {
    "the key was revoked": lambda tenant, _: tenant.services.api_keys.revoke(
        tenant.caller.account_id, tenant.key.id
    ),
    "the injection was revoked": lambda tenant, injection: tenant.services.injections.revoke(
        tenant.caller, injection.id, None
    ),
    "a secret was deleted": lambda tenant, _: tenant.delete("A"),
    "the capability was taken": lambda tenant, _: tenant.services.accounts.set_devbox(
        tenant.caller.account_id, devbox=False
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_one_that_is_refused(
    caplog: pytest.LogCaptureFixture,
    tenant: Tenant,
    injection: IssuedInjection,
    known: Event,
    refusal: str,
) -> None:
    REFUSALS[refusal](tenant, injection)
    assert events(caplog, tenant, injection.token) == [("injection_refused", known)]


def test_one_that_fails(
    caplog: pytest.LogCaptureFixture,
    tenant: Tenant,
    injection: IssuedInjection,
    known: Event,
    rows: Rows,
) -> None:
    rows.edit("secrets", {"name": "A"}, envelope=b"")
    assert events(caplog, tenant, injection.token) == [("injection_failed", known)]


def test_of_an_unknown_injection_the_event_has_what_the_token_names(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, injection: IssuedInjection
) -> None:
    account_id, unknown = tenant.caller.account_id, new_id(INJECTION)
    token = readdressed(injection.token, account_id=account_id, row_id=unknown)
    named = {"account_id": account_id, "injection_id": unknown}
    expected = {**dict.fromkeys(IDS), **named}
    assert events(caplog, tenant, token) == [("injection_refused", expected)]


def test_of_a_row_that_was_edited_the_event_has_what_the_token_names(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    rows.edit("injections", {"id": injection.id}, api_key_id="key_planted", secrets="[[1, 2, 3]]")
    named = {"account_id": tenant.caller.account_id, "injection_id": injection.id}
    expected = {**dict.fromkeys(IDS), **named}
    assert events(caplog, tenant, injection.token) == [("injection_refused", expected)]


@pytest.mark.parametrize("text", ["", "injt_", "a token of somebody else", "\ud800"])
def test_of_what_is_no_token_the_event_has_nothing(
    caplog: pytest.LogCaptureFixture, tenant: Tenant, text: str
) -> None:
    assert events(caplog, tenant, Token(text)) == [("injection_refused", dict.fromkeys(IDS))]
