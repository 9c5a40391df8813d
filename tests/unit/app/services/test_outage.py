"""An outage of key providers: its effects, and that it ends by itself."""

from collections.abc import Callable

import pytest

from app.domain.errors import DomainError
from app.domain.secrets import SecretRef
from backends.errors import (
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.circuit_breaker import CircuitBreaker
from backends.keyring.keyring import Keyring
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Scripted

BUDGET_SECONDS = 10
OUTAGES = [
    KeyUnavailable("down"),
    KeyAccessDenied("denied"),
    KeyDisabled("disabled"),
    UnknownKey("gone"),
]


def down(*providers: Scripted, error: KeyProviderError | None = None) -> None:
    for provider in providers:
        provider.down = error or KeyUnavailable("The provider is down.", retry_after=3)


def up(*providers: Scripted) -> None:
    for provider in providers:
        provider.down = None


class TwoProviders:
    """A keyring of two; every data key is wrapped by both, the second being escrow as well."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.first = Scripted(f"local-fernet:{deployment.home / 'keys'}")
        self.second = Scripted(deployment.key_file("second"))
        self.tenant = new_tenant(deployment.process(keyring=self._keyring()))
        self.tenant.create("A", "a value")
        self.tenant.services.rewrap.run(print)

    def _keyring(self) -> Keyring:
        return Keyring([self.first, self.second], [self.second])

    def cold(self) -> Tenant:
        """The tenant through a new process."""
        return self.tenant.at(self._deployment.process(keyring=self._keyring()))


@pytest.fixture
def two(deployment: Deployment) -> TwoProviders:
    return TwoProviders(deployment)


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_a_new_process_reads_while_only_the_second_provider_answers(
    two: TwoProviders, error: KeyProviderError
) -> None:
    down(two.first, error=error)
    assert two.cold().value("A") == "a value"


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_a_new_process_writes_under_the_data_key_that_the_second_provider_opens(
    two: TwoProviders, error: KeyProviderError
) -> None:
    down(two.first, error=error)
    tenant = two.cold()
    tenant.create("B", "another value")
    assert tenant.values() == {"A": "a value", "B": "another value"}


@pytest.mark.parametrize("which", ["first", "second"])
def test_an_aged_data_key_stays_in_use_while_one_that_should_wrap_is_down(
    deployment: Deployment, two: TwoProviders, which: str
) -> None:
    deployment.clock.advance(days=31)
    down(getattr(two, which))
    two.cold().create("B", "another value")
    with deployment.rows() as rows:
        assert len(rows.all("data_keys", account_id=two.tenant.caller.account_id)) == 1


@pytest.mark.parametrize("which", ["first", "second"])
def test_no_first_data_key_is_made_while_one_that_should_wrap_is_down(
    two: TwoProviders, which: str
) -> None:
    newcomer = new_tenant(two.tenant.services)
    down(getattr(two, which))
    with pytest.raises(KeyUnavailable):
        newcomer.create("A")
    up(getattr(two, which))
    newcomer.create("A", "a value")
    assert newcomer.value("A") == "a value"


@pytest.fixture
def stranded(two: TwoProviders) -> Tenant:
    """A process that has opened the system key and no other, as all providers go down."""
    tenant = two.cold()
    tenant.authenticate()
    down(two.first, two.second)
    return tenant


def test_authenticating_goes_on_while_every_provider_is_down(stranded: Tenant) -> None:
    assert stranded.authenticate() == stranded.caller


def test_listing_getting_and_deleting_go_on_while_every_provider_is_down(
    stranded: Tenant,
) -> None:
    assert stranded.names() == ["A"]
    assert stranded.services.secrets.get(stranded.caller, SecretRef.by_name("A")).name == "A"
    stranded.delete("A")
    assert stranded.names() == []


def test_revoking_goes_on_while_every_provider_is_down(stranded: Tenant) -> None:
    stranded.services.api_keys.revoke(stranded.caller.account_id, stranded.key.id)
    with pytest.raises(DomainError):
        stranded.authenticate()


WRITES: dict[str, Callable[[Tenant], object]] = {
    "create": lambda tenant: tenant.create("B"),
    "update": lambda tenant: tenant.update("A", "another value"),
    "redeem": lambda tenant: tenant.value("A"),
}


@pytest.mark.parametrize("write", WRITES)
def test_writing_and_redeeming_say_when_to_try_again(stranded: Tenant, write: str) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        WRITES[write](stranded)
    assert 1 <= refused.value.retry_after <= BUDGET_SECONDS


@pytest.mark.parametrize("write", WRITES)
def test_writing_and_redeeming_recover_by_themselves(
    two: TwoProviders, stranded: Tenant, write: str
) -> None:
    with pytest.raises(KeyUnavailable):
        WRITES[write](stranded)
    up(two.first, two.second)
    WRITES[write](stranded)


def test_an_outage_leaves_the_token_unused(two: TwoProviders, stranded: Tenant) -> None:
    token = stranded.inject("A").token
    with pytest.raises(KeyUnavailable):
        stranded.redeem(token)
    up(two.first, two.second)
    assert stranded.redeem(token) == {"A": "a value"}


def test_a_process_that_starts_in_an_outage_serves_when_it_ends(two: TwoProviders) -> None:
    down(two.first, two.second)
    tenant = two.cold()
    with pytest.raises(KeyUnavailable):
        tenant.authenticate()
    up(two.first, two.second)
    assert tenant.value("A") == "a value"


def test_after_many_failures_a_provider_is_tried_again(two: TwoProviders) -> None:
    now = 0.0
    tenant = two.cold()
    for member in tenant.services.keyring_status._keyring._providers:
        member._breaker = CircuitBreaker(lambda: now)
    down(two.first, two.second)
    for _ in range(10):
        with pytest.raises(KeyUnavailable):
            tenant.authenticate()
    asked_in_vain = two.first.calls
    up(two.first, two.second)
    with pytest.raises(KeyUnavailable):
        tenant.authenticate()
    assert two.first.calls == asked_in_vain
    now = 3.0
    assert tenant.authenticate() == tenant.caller


def test_readiness_tells_of_an_outage_and_of_its_end(two: TwoProviders) -> None:
    down(two.first, two.second)
    assert not two.cold().services.readiness.report().ready
    up(two.first, two.second)
    assert two.cold().services.readiness.report().ready
