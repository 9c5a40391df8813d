"""Writing to the database redeems nothing: planted and edited injections are refused."""

import json
from collections.abc import Callable

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused, TamperedRow
from app.domain.ids import INJECTION, new_id
from app.domain.injections import IssuedInjection
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, readdressed, with_key

NOTHING = bytes(32)
NONCE = "n" * 22


@pytest.fixture
def injection(tenant: Tenant) -> IssuedInjection:
    tenant.create("WANTED", "a value")
    tenant.create("UNWANTED", "a value that was not asked for")
    return tenant.inject("WANTED")


def is_refused(tenant: Tenant, token: Token, nonce: str | None = None) -> bool:
    try:
        tenant.redeem(token, nonce)
    except InjectionRefused:
        return True
    return False


def with_unwanted(rows: Rows) -> str:
    secret_id = rows.one("secrets", name="UNWANTED")["id"]
    return json.dumps([["WANTED", secret_id, "WANTED"]])


EDITS: dict[str, Callable[[Rows], Row]] = {
    "another secret": lambda rows: {"secrets": with_unwanted(rows)},
    "no secret": lambda _: {"secrets": "[]"},
    "no list": lambda _: {"secrets": "everything"},
    "wrong list": lambda _: {"secrets": '[["A"]]'},
    "wrong types": lambda _: {"secrets": "[[1, 2, 3]]"},
    "deep list": lambda _: {"secrets": "[" * 100_000},
    "longer life": lambda _: {"expires_at_ms": 2**53},
    "no life": lambda _: {"expires_at_ms": 2**63 - 1},
    "redeemed": lambda _: {"state": "redeemed"},
    "unknown state": lambda _: {"state": "anything"},
    "other key": lambda rows: {"api_key_id": rows.all("api_keys")[-1]["id"]},
    "missing key": lambda _: {"api_key_id": "key_0000000000000000000000"},
    "token digest": lambda _: {"token_digest": NOTHING},
    "nonce digest": lambda _: {"nonce_digest": NOTHING},
    "created at": lambda _: {"created_at_ms": 0},
    "redeemed from": lambda _: {"redeemed_from": "192.0.2.1"},
    "redeemed at": lambda _: {"redeemed_at_ms": 2**53},
    "mac": lambda _: {"mac": NOTHING},
    "no mac": lambda _: {"mac": b""},
    "mac key": lambda _: {"mac_key_id": "dk_0000000000000000000000"},
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_injection_is_refused(
    tenant: Tenant, injection: IssuedInjection, rows: Rows, edit: str
) -> None:
    with_key(tenant.services, tenant.caller.account_id)
    rows.edit("injections", {"id": injection.id}, **EDITS[edit](rows))
    assert is_refused(tenant, injection.token)


def test_an_expired_injection_cannot_be_extended(
    deployment: Deployment, tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    deployment.clock.advance(seconds=300)
    later = deployment.clock() + 60_000
    rows.edit("injections", {"id": injection.id}, expires_at_ms=later)
    assert is_refused(tenant, injection.token)


def test_a_used_injection_cannot_be_made_pending(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    tenant.redeem(injection.token)
    rows.edit("injections", {"id": injection.id}, state="pending", redeemed_at_ms=None)
    assert is_refused(tenant, injection.token)


def test_a_revoked_injection_cannot_be_made_pending(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    tenant.services.injections.revoke(tenant.caller, injection.id, None)
    rows.edit("injections", {"id": injection.id}, state="pending")
    assert is_refused(tenant, injection.token)


def test_the_time_for_the_nonce_cannot_be_extended(
    deployment: Deployment, tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    tenant.redeem(injection.token, NONCE)
    deployment.clock.advance(seconds=30)
    rows.edit("injections", {"id": injection.id}, redeemed_at_ms=deployment.clock())
    assert is_refused(tenant, injection.token, NONCE)


def test_the_nonce_of_another_injection_cannot_be_planted(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    other = tenant.inject("UNWANTED")
    tenant.redeem(injection.token)
    tenant.redeem(other.token, NONCE)
    known = rows.one("injections", id=other.id)["nonce_digest"]
    rows.edit("injections", {"id": injection.id}, nonce_digest=known)
    assert is_refused(tenant, injection.token, NONCE)


def test_an_injection_copied_under_a_new_id_is_refused(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    copied = rows.one("injections") | {"id": new_id(INJECTION)}
    rows.plant("injections", copied)
    account_id = tenant.caller.account_id
    copy = readdressed(injection.token, account_id=account_id, row_id=copied["id"])
    assert is_refused(tenant, copy)


def test_an_injection_moved_to_another_account_is_refused(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    victim = new_tenant(tenant.services)
    victim.create("WANTED", "a value of the victim")
    wanted = rows.one("secrets", account_id=victim.caller.account_id)["id"]
    rows.edit(
        "injections",
        {"id": injection.id},
        account_id=victim.caller.account_id,
        api_key_id=victim.key.id,
        secrets=json.dumps([["WANTED", wanted, "WANTED"]]),
    )
    account_id = victim.caller.account_id
    moved = readdressed(injection.token, account_id=account_id, row_id=injection.id)
    assert is_refused(tenant, moved)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("api_keys", {"mac": NOTHING}),
        ("api_keys", {"restricted": 7}),
        ("api_keys", {"expires_at_ms": 2**53}),
        ("accounts", {"mac": NOTHING}),
        ("accounts", {"devbox": 7}),
        ("accounts", {"name": "another name"}),
        ("accounts", {"created_at_ms": 0}),
    ],
    ids=str,
)
def test_an_injection_of_an_edited_key_or_account_is_refused(
    tenant: Tenant, injection: IssuedInjection, rows: Rows, table: str, columns: dict[str, object]
) -> None:
    rows.edit(table, {}, **columns)
    assert is_refused(tenant, injection.token)


def test_the_key_that_made_an_injection_cannot_be_brought_back(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    rows.edit("api_keys", {"id": tenant.key.id}, revoked_at_ms=None)
    assert is_refused(tenant, injection.token)


def test_the_capability_cannot_be_given_to_the_account_of_an_injection(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    tenant.services.accounts.set_devbox(tenant.caller.account_id, devbox=False)
    rows.edit("accounts", {"id": tenant.caller.account_id}, devbox=1)
    assert is_refused(tenant, injection.token)


def test_an_edited_injection_is_not_shown_as_if_it_were_ours(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    rows.edit("injections", {"id": injection.id}, secrets=with_unwanted(rows))
    with pytest.raises(TamperedRow):
        tenant.services.injections.get(tenant.caller, injection.id)


def test_an_edited_injection_cannot_be_signed_anew_by_revoking_it(
    tenant: Tenant, injection: IssuedInjection, rows: Rows
) -> None:
    rows.edit("injections", {"id": injection.id}, secrets=with_unwanted(rows))
    with pytest.raises(TamperedRow):
        tenant.services.injections.revoke(tenant.caller, injection.id, None)
