"""A wrapping that was changed in the database opens nothing, with one error and text."""

from collections.abc import Callable

import pytest

from app.domain.errors import TamperedRow
from app.services.errors import SystemKeyUnreadable
from tests.support.databases import Rows
from tests.support.deployment import Ask, Asking, Deployment, Tenant

Open = Callable[[], object]


def damages(blob: bytes) -> list[bytes]:
    """Every flipped bit and every truncation."""
    flips = [
        blob[:place] + bytes([blob[place] ^ 1 << bit]) + blob[place + 1 :]
        for place in range(len(blob))
        for bit in range(8)
    ]
    return flips + [blob[:length] for length in range(len(blob))]


@pytest.fixture
def wrapping(tenant: Tenant, rows: Rows) -> dict[str, object]:
    """The row of the one wrapping of the tenant's data key."""
    tenant.create("A", "the value")
    return {"account_id": tenant.caller.account_id}


@pytest.fixture
def one_text(rows: Rows, wrapping: dict[str, object]) -> str:
    """The report of every damage of it: its place, and nothing of the change."""
    row = rows.one("wrappings", **wrapping)
    return str(TamperedRow("wrappings", row["account_id"], row["data_key_id"]))


@pytest.fixture
def redeem(tenant: Tenant, wrapping: object, asking: Asking) -> Ask:
    return asking(tenant, "A")


def test_every_change_of_a_wrapping_is_refused(
    rows: Rows, redeem: Ask, wrapping: dict[str, object], one_text: str, *, proving: bool
) -> None:
    blob = rows.one("wrappings", **wrapping)["blob"]
    served = []
    for damaged in damages(blob)[:: 1 if proving else 5]:
        rows.edit("wrappings", wrapping, blob=damaged)
        if not is_refused(redeem, TamperedRow, one_text):
            served.append(damaged)
    assert served == []


def test_a_restored_wrapping_serves_again(
    rows: Rows, redeem: Ask, wrapping: dict[str, object], one_text: str
) -> None:
    blob = rows.one("wrappings", **wrapping)["blob"]
    rows.edit("wrappings", wrapping, blob=blob[::-1])
    assert is_refused(redeem, TamperedRow, one_text)
    rows.edit("wrappings", wrapping, blob=blob)
    assert redeem() == {"A": "the value"}


def test_no_new_value_is_sealed_under_a_key_with_a_changed_wrapping(
    rows: Rows, tenant: Tenant, wrapping: dict[str, object], one_text: str
) -> None:
    rows.edit("wrappings", wrapping, blob=b"changed")
    assert is_refused(lambda: tenant.create("B"), TamperedRow, one_text)


def test_every_change_of_the_system_keys_wrapping_is_refused(
    rows: Rows, deployment: Deployment, tenant: Tenant, *, proving: bool
) -> None:
    system = {"account_id": "_system"}
    blob = rows.one("wrappings", **system)["blob"]
    served = []
    for damaged in damages(blob)[:: 1 if proving else 9]:
        rows.edit("wrappings", system, blob=damaged)
        cold = tenant.at(deployment.process())
        if not is_refused(cold.authenticate, SystemKeyUnreadable, str(SystemKeyUnreadable())):
            served.append(damaged)
    assert served == []


def is_refused(ask: Open, kind: type[Exception], text: str) -> bool:
    try:
        ask()
    except kind as error:
        return type(error) is kind and str(error) == text
    return False
