"""Whole and genuine rows of another account, found in place of those that were asked for.

Every operation of one account runs while the searches of some collections find what belongs to
another one.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.domain.access.api_keys import ApiKey, Token
from app.domain.damage import DamagedRow
from app.domain.errors import DomainError
from app.domain.injections import InjectionView, IssuedInjection
from app.domain.secrets import SecretRef, SecretValue
from app.repository.base import Conflict
from backends.errors import KeyProviderError
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.misdirected import COLLECTIONS, misdirected

NAME = "DATABASE_PASSWORD"
OURS = "a value of ours"
THEIRS = "a value of theirs"
CHOICES = [
    *((each,) for each in COLLECTIONS),
    ("data_keys", "secrets"),
    ("api_keys", "injections"),
    ("accounts", "api_keys"),
    COLLECTIONS,
]
REFUSED = (DomainError, KeyProviderError, Conflict)


@pytest.fixture
def theirs(tenant: Tenant) -> Tenant:
    other = new_tenant(tenant.services)
    other.create(NAME, THEIRS)
    return other


@pytest.fixture
def their_injection(theirs: Tenant) -> IssuedInjection:
    return theirs.inject(NAME)


@pytest.fixture
def our_injection(tenant: Tenant) -> IssuedInjection:
    tenant.create(NAME, OURS)
    return tenant.inject(NAME)


@pytest.fixture(params=CHOICES, ids="+".join)
def astray(
    request: pytest.FixtureRequest,
    deployment: Deployment,
    tenant: Tenant,
    theirs: Tenant,
    our_injection: IssuedInjection,
    their_injection: IssuedInjection,
) -> Tenant:
    """Our account through a process that finds their rows."""
    ref = SecretRef.by_name(NAME)
    ids = [
        (
            each.caller.account_id,
            name_of(each),
            each.key.id,
            each.services.secrets.get(each.caller, ref).id,
        )
        for each in (tenant, theirs)
    ]
    found = dict(zip(*ids, strict=True)) | {our_injection.id: their_injection.id}
    database = misdirected(deployment.database, request.param, found)
    return tenant.at(deployment.process(database=database))


def name_of(tenant: Tenant) -> str:
    return tenant.services.accounts.require(tenant.caller.account_id).name


def tokens(astray: Tenant, injection: IssuedInjection) -> Iterator[Token]:
    """Of an injection from before, and of one made while searches go astray."""
    yield injection.token
    with suppress(*REFUSED):
        yield astray.inject(NAME).token


def test_no_value_of_another_account_is_handed_over(
    astray: Tenant, our_injection: IssuedInjection
) -> None:
    for token in tokens(astray, our_injection):
        with suppress(*REFUSED):
            assert astray.redeem(token) == {NAME: OURS}


def test_no_value_is_sealed_for_another_account(
    astray: Tenant, tenant: Tenant, theirs: Tenant
) -> None:
    with suppress(*REFUSED):
        astray.create("NEW", "a new value of ours")
    with suppress(*REFUSED):
        ref = SecretRef.by_name(NAME)
        astray.services.secrets.update(astray.caller, ref, SecretValue("a newer value"), None)
    assert theirs.names() == [NAME]
    with suppress(*REFUSED):
        assert theirs.values() == {NAME: THEIRS}


def test_no_key_stands_for_another_account(astray: Tenant) -> None:
    with suppress(*REFUSED):
        assert astray.authenticate() == astray.caller


def test_no_injection_of_another_account_is_shown(
    astray: Tenant, our_injection: IssuedInjection
) -> None:
    shown: list[InjectionView | DamagedRow] = []
    with suppress(*REFUSED):
        shown.append(astray.services.injections.get(astray.caller, our_injection.id))
    with suppress(*REFUSED):
        shown += astray.services.injections.list(astray.caller, 10, None).injections
    views = [each for each in shown if isinstance(each, InjectionView)]
    assert {view.injection.account_id for view in views} <= {astray.caller.account_id}


def test_no_injection_of_another_account_is_revoked(
    astray: Tenant, our_injection: IssuedInjection, theirs: Tenant, their_injection: IssuedInjection
) -> None:
    with suppress(*REFUSED):
        astray.services.injections.revoke(astray.caller, our_injection.id, None)
    assert theirs.redeem(their_injection.token) == {NAME: THEIRS}


def test_no_key_and_no_account_of_another_is_changed(astray: Tenant, theirs: Tenant) -> None:
    account_id = astray.caller.account_id
    with suppress(*REFUSED):
        astray.services.api_keys.revoke(account_id, astray.key.id)
    with suppress(*REFUSED):
        astray.services.accounts.set_devbox(account_id, devbox=False)
    assert theirs.authenticate() == theirs.caller


def test_no_name_leads_to_another_account(astray: Tenant, tenant: Tenant) -> None:
    with suppress(*REFUSED):
        found = astray.services.accounts.require(name_of(tenant))
        assert found.id == tenant.caller.account_id


def test_no_key_of_another_account_is_listed(astray: Tenant) -> None:
    with suppress(*REFUSED):
        own = {astray.caller.account_id}
        listed = astray.services.api_keys.list(astray.caller.account_id)
        assert {key.account_id for key in listed if isinstance(key, ApiKey)} <= own


def test_values_are_not_sealed_anew_for_another_account(astray: Tenant, theirs: Tenant) -> None:
    with suppress(*REFUSED):
        astray.services.reencrypt.run(lambda _: None)
    assert theirs.values() == {NAME: THEIRS}
