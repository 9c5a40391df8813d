"""A fault before a start is reported by the name of the setting, never by its value."""

import pytest

from app.domain.errors import NotInitialised
from app.repository.connect import connect
from app.services.errors import SystemKeyUnreadable
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import (
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.keyring import Keyring
from backends.provider import ProviderStatus, WrappedKey
from tests.support.databases import Rows
from tests.support.deployment import Deployment, new_tenant
from tests.unit.app.services.providers import Scripted

REFUSALS = [KeyAccessDenied("Denied."), KeyDisabled("Disabled."), UnknownKey("Gone.")]


class OnlyUnwraps(Scripted):
    """Lacks the permission to wrap."""

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        raise KeyAccessDenied("The provider does not let us wrap.")


class OnlyWraps(Scripted):
    """Lacks the permission to unwrap."""

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        raise KeyAccessDenied("The provider does not let us unwrap.")


class OnlyMakesKeys(Scripted):
    """Lacks the permission to wrap a data key that it did not make."""

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        raise KeyAccessDenied("The provider does not let us wrap.")

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        key = DataKey.random()
        return key, super().wrap(key, context)


class NeverRewraps(Scripted):
    """Lacks the permission to wrap anew what it wrapped."""

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        raise KeyAccessDenied("The provider does not let us rewrap.")


class NeverMakesKeys(Scripted):
    """Lacks the permission to make data keys."""

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        raise KeyAccessDenied("The provider does not let us make keys.")


class TellsNothing(Scripted):
    """Lacks the permission to ask how the key is."""

    def status(self) -> ProviderStatus:
        detail = "The provider does not let us ask."
        return ProviderStatus(healthy=False, key_ref=None, detail=detail)


@pytest.fixture
def first(deployment: Deployment) -> Scripted:
    """The provider that the deployment began with."""
    return Scripted(f"local-fernet:{deployment.home / 'keys'}")


@pytest.fixture
def second(deployment: Deployment) -> Scripted:
    """One that has wrapped nothing yet."""
    return Scripted(deployment.key_file("second"))


def faults(deployment: Deployment, *providers: Scripted, escrow: Scripted | None = None) -> str:
    """All faults, as lines."""
    keyring = Keyring(providers, () if escrow is None else (escrow,))
    return "\n".join(deployment.process(keyring=keyring).checkup.run().faults)


def test_nothing_is_wrong_with_a_deployment_as_it_was_made(
    deployment: Deployment, first: Scripted, second: Scripted
) -> None:
    assert faults(deployment, first, second, escrow=second) == ""


def test_a_wrong_key_does_not_open_the_system_key(deployment: Deployment, second: Scripted) -> None:
    services = deployment.process(keyring=Keyring([second]))
    with pytest.raises(UnknownKey):
        new_tenant(services)


def test_a_wrong_key_is_told_by_the_setting(deployment: Deployment, second: Scripted) -> None:
    assert "STRONGROOM_KEYS: the system data key does not open" in faults(deployment, second)


def test_another_key_of_the_same_name_is_told_by_the_setting(deployment: Deployment) -> None:
    """As two vaults with one mount and one key name are, or a file that was made anew."""
    other = Scripted(deployment.key_file("other"))
    first = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    other._masters = {first.key_ref: next(iter(other._masters.values()))}
    other._current = first.key_ref
    assert "STRONGROOM_KEYS (entry 1)" in faults(deployment, other)
    assert "STRONGROOM_KEYS: the system data key does not open" in faults(deployment, other)


def test_data_keys_that_no_provider_could_open_are_counted(
    deployment: Deployment, first: Scripted, second: Scripted, rows: Rows
) -> None:
    both = deployment.process(keyring=Keyring([first, second]))
    tenants = [new_tenant(both) for _ in range(2)]
    for tenant in tenants:
        tenant.at(deployment.process(keyring=Keyring([first]))).create("A")
    deployment.process(keyring=Keyring([second, first])).rewrap.run(print)
    new_tenant(deployment.process(keyring=Keyring([first]))).create("A")
    assert faults(deployment, second) == (
        "STRONGROOM_KEYS: no listed provider could open 1 data keys."
    )


def test_a_provider_that_is_down_is_no_fault_while_another_can_unwrap(
    deployment: Deployment, first: Scripted, second: Scripted
) -> None:
    deployment.process(keyring=Keyring([second, first])).rewrap.run(print)
    first.down = KeyUnavailable("The provider is down.")
    assert faults(deployment, first, second) == ""
    assert faults(deployment, second, first) == ""


def test_providers_that_are_all_down_are_a_fault(
    deployment: Deployment, first: Scripted, second: Scripted
) -> None:
    first.down = second.down = KeyUnavailable("The provider is down.")
    told = faults(deployment, first, second)
    assert "STRONGROOM_KEYS (entry 1): The provider is down." in told
    assert "STRONGROOM_KEYS (entry 2): The provider is down." in told


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", [1, 2])
def test_a_provider_that_refuses_is_a_fault_although_another_can_unwrap(
    deployment: Deployment, first: Scripted, second: Scripted, error: KeyProviderError, place: int
) -> None:
    second.down = error
    listed = (second, first) if place == 1 else (first, second)
    assert faults(deployment, *listed) == f"STRONGROOM_KEYS (entry {place}): {error}"


@pytest.mark.parametrize(
    "kind",
    [OnlyUnwraps, OnlyWraps, OnlyMakesKeys, NeverRewraps, NeverMakesKeys, TellsNothing],
)
def test_a_missing_permission_of_the_first_provider_is_a_fault(
    deployment: Deployment, first: Scripted, kind: type[Scripted]
) -> None:
    limited = kind(deployment.key_file("second"))
    assert "STRONGROOM_KEYS (entry 1): The provider does not let us" in faults(
        deployment, limited, first
    )


@pytest.mark.parametrize("kind", [OnlyUnwraps, OnlyWraps, OnlyMakesKeys, NeverRewraps])
def test_a_missing_permission_of_an_escrow_key_is_a_fault(
    deployment: Deployment, first: Scripted, kind: type[Scripted]
) -> None:
    limited = kind(deployment.key_file("second"))
    assert "STRONGROOM_ESCROW_KEYS (entry 1): The provider does not let us" in faults(
        deployment, first, escrow=limited
    )


def test_what_nobody_asks_of_a_provider_it_need_not_be_allowed(
    deployment: Deployment, first: Scripted
) -> None:
    escrow = NeverMakesKeys(deployment.key_file("second"))
    assert faults(deployment, first, escrow=escrow) == ""
    former = OnlyUnwraps(f"local-fernet:{deployment.home / 'keys'}")
    assert faults(deployment, Scripted(deployment.key_file("third")), former) == ""


def test_an_escrow_key_that_refuses_is_a_fault(
    deployment: Deployment, first: Scripted, second: Scripted
) -> None:
    second.down = KeyAccessDenied("Denied.")
    assert faults(deployment, first, escrow=second) == "STRONGROOM_ESCROW_KEYS (entry 1): Denied."


def test_a_further_provider_proves_itself_on_its_wrapping_of_the_system_key(
    deployment: Deployment, first: Scripted, second: Scripted, rows: Rows
) -> None:
    deployment.process(keyring=Keyring([second, first])).rewrap.run(print)
    second.calls = 0
    wrapped_by_it: list[str] = []
    second.before_call = lambda: wrapped_by_it.append("asked")
    assert faults(deployment, first, second) == ""
    assert wrapped_by_it == ["asked"]


def test_a_database_without_a_deployment_is_told_so(
    deployment: Deployment, first: Scripted
) -> None:
    database = connect(f"sqlite:///{deployment.home / 'empty.db'}")
    database.upgrade()
    services = deployment.process(keyring=Keyring([first]), database=database)
    assert services.checkup.run().faults == [str(NotInitialised())]


def test_a_database_that_is_not_there_is_told_by_the_setting(
    deployment: Deployment, first: Scripted
) -> None:
    database = connect(f"sqlite:///{deployment.home / 'none.db'}")
    services = deployment.process(keyring=Keyring([first]), database=database)
    (fault,) = services.checkup.run().faults
    assert fault.startswith("STRONGROOM_DATABASE_URL: ")


@pytest.mark.parametrize("column", ["check", "mac", "blob"])
def test_a_planted_system_key_is_refused(
    deployment: Deployment, first: Scripted, rows: Rows, column: str
) -> None:
    table = "wrappings" if column == "blob" else "data_keys"
    rows.edit(table, {"account_id": "_system"}, **{column: bytes(32)})
    with pytest.raises(SystemKeyUnreadable):
        new_tenant(deployment.process(keyring=Keyring([first])))
    assert "system data key does not open" in faults(deployment, first)
