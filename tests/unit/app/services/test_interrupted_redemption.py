"""A redemption that ends half-way leaves the token unused, or used and good with its nonce."""

from functools import partial

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused, StorageUnavailable
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.deployment import Deployment, Tenant
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Killed, Steps, stepped

NONCE = "a-nonce-of-at-least-22-characters"
VALUES = {"A": "value a", "B": "value b"}


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    for name, value in VALUES.items():
        tenant.create(name, value)
    return tenant


@pytest.mark.parametrize("nonce", [NONCE, None])
@pytest.mark.parametrize("kind", [Killed, Exception])
def test_an_interrupted_redemption_loses_nothing(
    deployment: Deployment, stocked: Tenant, kind: type[BaseException], nonce: str | None
) -> None:
    token = stocked.inject(*VALUES).token
    prepared = deployment.snapshot()
    whole, steps = counting(deployment, stocked)
    assert whole.redeem(token, nonce) == VALUES
    lost = []
    for number, name in enumerate(steps.names, start=1):
        deployment.restore(prepared)
        broken, counted = counting(deployment, stocked)
        counted.at(number, partial(interrupt, kind, name))
        with pytest.raises((Killed, KeyUnavailable, StorageUnavailable)):
            broken.redeem(token, nonce)
        is_used_up = name == "committed" and nonce is None
        again = values_or_none(stocked.at(deployment.process()), token, nonce)
        if again != (None if is_used_up else VALUES):
            lost.append(name)
    assert lost == []


def counting(deployment: Deployment, tenant: Tenant) -> tuple[Tenant, Steps]:
    """The tenant through a new process, and its steps."""
    steps = Steps()
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    provider.before_call = partial(steps.take, "provider")
    database = stepped(deployment.database, steps)
    return tenant.at(deployment.process(keyring=Keyring([provider]), database=database)), steps


def interrupt(kind: type[BaseException], step: str) -> None:
    """End the process, or let the step fail in its own way."""
    if kind is Killed:
        raise Killed
    if step == "provider":
        raise KeyUnavailable("The provider is down.")
    raise StorageUnavailable


def values_or_none(tenant: Tenant, token: Token, nonce: str | None) -> dict[str, str] | None:
    try:
        return tenant.redeem(token, nonce)
    except InjectionRefused:
        return None
