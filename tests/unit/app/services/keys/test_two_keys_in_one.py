"""Two wrappings of one data key that hold different keys are neither stored nor served."""

import pytest

from app.crypto.system_key import OpenedSystemKey
from app.domain.data_keys import Wrapping
from app.services.keys.failure_reasons import FailureReason
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyProviderError
from backends.keyring.keyring import Keyring
from backends.provider import WrappedKey
from tests.support.databases import Rows
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import VALUES, Move, ignore
from tests.unit.app.services.providers import Scripted

DATA_KEYS = 5
NOT_PROVED = "new wrapping does not open"


class Swapping(Scripted):
    """Wraps another key than the one that it was given."""

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        return super().wrap(DataKey.random(), context)


class Damaging(Scripted):
    """Wraps so that nothing opens it."""

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        wrapped = super().wrap(key, context)
        return WrappedKey(wrapped.scheme, wrapped.key_ref, wrapped.blob[::-1])


@pytest.mark.parametrize("faulty", [Swapping, Damaging])
def test_no_data_key_is_made_with_a_wrapping_that_does_not_open_to_it(
    move: Move, tenants: list[Tenant], faulty: type[Scripted]
) -> None:
    keyring = Keyring([faulty(move.b), Scripted(move.a)])
    newcomer = new_tenant(move.deployment.process(keyring=keyring))
    with pytest.raises(KeyProviderError, match=NOT_PROVED):
        newcomer.create("A")
    assert newcomer.names() == []
    assert len(move.refs()) == DATA_KEYS


@pytest.mark.parametrize("faulty", [Swapping, Damaging])
def test_no_data_key_is_made_with_an_escrow_wrapping_that_does_not_open_to_it(
    move: Move, tenants: list[Tenant], faulty: type[Scripted]
) -> None:
    keyring = Keyring([Scripted(move.a)], [faulty(move.b)])
    newcomer = new_tenant(move.deployment.process(keyring=keyring))
    with pytest.raises(KeyProviderError, match=NOT_PROVED):
        newcomer.create("A")
    assert len(move.refs()) == DATA_KEYS


@pytest.mark.parametrize("faulty", [Swapping, Damaging])
def test_rewrap_stores_no_wrapping_of_another_key(
    move: Move, tenants: list[Tenant], faulty: type[Scripted]
) -> None:
    keyring = Keyring([faulty(move.b), Scripted(move.a)])
    progress = move.deployment.process(keyring=keyring).rewrap.run(ignore)
    assert progress.reasons == {FailureReason.KEY_UNREADABLE: DATA_KEYS}
    assert move.refs() == [{"a"}] * DATA_KEYS


@pytest.mark.parametrize("faulty", [Swapping, Damaging])
def test_an_aged_data_key_stays_in_use_when_its_successor_cannot_be_proved(
    move: Move, tenants: list[Tenant], faulty: type[Scripted]
) -> None:
    move.deployment.clock.advance(days=31)
    keyring = Keyring([faulty(move.b), Scripted(move.a)])
    tenants[0].at(move.deployment.process(keyring=keyring)).create("LATER", "a later value")
    assert tenants[0].at(move.process(move.a)).value("LATER") == "a later value"
    assert len(move.refs()) == DATA_KEYS


def test_a_wrapping_of_another_key_is_not_served_even_with_a_right_mac(
    move: Move, tenants: list[Tenant], rows: Rows
) -> None:
    """As if somebody had the system key: the check of the data key still says which it is."""
    tenant = tenants[1]
    opened = system_key(tenant)
    active = rows.one("data_keys", account_id=tenant.caller.account_id, state="active")
    context = KeyContext(opened.context.deployment_id, active["account_id"], active["id"])
    wrapped = Scripted(move.b).wrap(DataKey.random(), context)
    planted = opened.guard(Wrapping(context.account_id, context.data_key_id, wrapped))
    rows.plant(
        "wrappings",
        {
            **planted.unverified.columns(),
            "mac_key_id": planted.mac.key_id,
            "mac": planted.mac.tag,
        },
    )
    with pytest.raises(DecryptionError):
        tenant.at(move.process(move.b, move.a)).value("NEW")
    assert tenant.at(move.process(move.a)).value("NEW") == VALUES["NEW"]


def system_key(tenant: Tenant) -> OpenedSystemKey:
    return tenant.services.accounts._system_key.opened()
