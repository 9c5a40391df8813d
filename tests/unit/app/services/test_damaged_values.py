"""A stored value that was changed is refused, in one class and text, and harms no other row."""

from collections.abc import Callable

import pytest

from app.domain.secrets import SecretRef
from backends.errors import DecryptionError
from tests.support.databases import Rows
from tests.support.deployment import Ask, Asking, Tenant

ONE_TEXT = str(DecryptionError())


@pytest.fixture
def redeem(tenant: Tenant, asking: Asking) -> Ask:
    tenant.create("DAMAGED", "the value")
    return asking(tenant, "DAMAGED")


@pytest.fixture
def envelope(redeem: Ask, rows: Rows) -> bytes:
    return bytes(rows.one("secrets", name="DAMAGED")["envelope"])


def is_refused(redeem: Ask) -> bool:
    try:
        redeem()
    except DecryptionError as error:
        return type(error) is DecryptionError and str(error) == ONE_TEXT
    return False


def not_refused(rows: Rows, redeem: Ask, envelopes: list[bytes]) -> list[int]:
    """The places in the list of those that were not refused in the one way."""
    served = []
    for place, each in enumerate(envelopes):
        rows.edit("secrets", {"name": "DAMAGED"}, envelope=each)
        if not is_refused(redeem):
            served.append(place)
    return served


def flipped(stored: bytes, bit: int) -> bytes:
    changed = bytearray(stored)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_of_an_envelope_is_refused(
    rows: Rows, redeem: Ask, envelope: bytes, *, proving: bool
) -> None:
    step = 1 if proving else 7  # seven still meets every byte, and every place in one
    damaged = [flipped(envelope, bit) for bit in range(0, len(envelope) * 8, step)]
    assert not_refused(rows, redeem, damaged) == []


def test_every_truncated_envelope_is_refused(rows: Rows, redeem: Ask, envelope: bytes) -> None:
    damaged = [envelope[:length] for length in range(len(envelope))]
    assert not_refused(rows, redeem, damaged) == []


def test_what_was_refused_opens_again_when_it_is_restored(
    rows: Rows, redeem: Ask, envelope: bytes
) -> None:
    assert not_refused(rows, redeem, [flipped(envelope, 7)]) == []
    rows.edit("secrets", {"name": "DAMAGED"}, envelope=envelope)
    assert redeem() == {"DAMAGED": "the value"}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": lambda envelope: flipped(envelope, 99),
    "half of it": lambda envelope: envelope[: len(envelope) // 2],
    "nothing": lambda _: b"",
    "noise": lambda envelope: bytes(len(envelope)),
}


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, tenant: Tenant, rows: Rows) -> Tenant:
    """Its secret DAMAGED does not open; FINE does."""
    tenant.create("DAMAGED", "the value")
    tenant.create("FINE", "another value")
    stored = rows.one("secrets", name="DAMAGED")["envelope"]
    rows.edit("secrets", {"name": "DAMAGED"}, envelope=DAMAGES[request.param](stored))
    with pytest.raises(DecryptionError):
        tenant.value("DAMAGED")
    return tenant


def test_a_damaged_secret_is_still_listed(damaged: Tenant) -> None:
    assert damaged.names() == ["DAMAGED", "FINE"]


def test_a_damaged_secret_can_still_be_got(damaged: Tenant) -> None:
    ref = SecretRef.by_name("DAMAGED")
    assert damaged.services.secrets.get(damaged.caller, ref).name == "DAMAGED"


def test_a_damaged_secret_can_be_replaced(damaged: Tenant) -> None:
    damaged.update("DAMAGED", "a new value")
    assert damaged.value("DAMAGED") == "a new value"


def test_a_damaged_secret_can_be_deleted(damaged: Tenant) -> None:
    damaged.delete("DAMAGED")
    assert damaged.names() == ["FINE"]


def test_a_damaged_secret_harms_no_other(damaged: Tenant) -> None:
    assert damaged.value("FINE") == "another value"


def test_a_damaged_secret_leaves_the_token_unused(damaged: Tenant) -> None:
    token = damaged.inject("DAMAGED", "FINE").token
    with pytest.raises(DecryptionError):
        damaged.redeem(token)
    damaged.update("DAMAGED", "repaired")
    assert damaged.redeem(token) == {"DAMAGED": "repaired", "FINE": "another value"}
