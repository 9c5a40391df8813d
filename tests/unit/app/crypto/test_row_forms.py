"""The bytes that a MAC covers are a stored format: they are written here a second time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from app.crypto.system_key import OpenedSystemKey, stored_bytes
from app.domain.audit.events import AuditEvent
from app.domain.guarded import GuardedField, MacLayouts
from backends.context import KeyContext
from backends.data_key import DataKey

TEXTS = ["", "a", "%", "%b%%", "\0", "ä€𝄞", "x" * 37, "x" * 70_000]
EVENT = AuditEvent(
    account_id="acct_1",
    id="aud_1",
    lane=2**48 - 1,
    n=1,
    at_ms=1_700_000_000_000,
    actor="key_1",
    issuers=("key_2", "key_3"),
    action="secret.created",
    outcome="done",
    subjects=("sec_1@1",),
    details='{"name":"100 %"}',
    address=None,
    request_id=None,
)


@dataclass(frozen=True)
class Thing:
    """A row with a column of each kind."""

    table: ClassVar[str] = "100%"
    mac_layouts: ClassVar[MacLayouts] = MacLayouts(written=37, omitted={37: {}})

    text: str | None
    number: int
    data: bytes

    def columns(self) -> Mapping[str, GuardedField]:
        return {"te%xt": self.text, "number": self.number, "data": self.data}


def by_hand(table: str, layout: int, columns: Mapping[str, GuardedField]) -> bytes:
    """Write a row as ``docs/keys/formats.md`` does, one part after the other."""
    written = bytes([layout]) + sized(b"S", table.encode())
    for name, value in columns.items():
        written += sized(b"S", name.encode())
        if value is None:
            written += b"N"
        elif isinstance(value, int):
            written += b"I" + value.to_bytes(8, "big", signed=True)
        elif isinstance(value, str):
            written += sized(b"S", value.encode())
        else:
            written += sized(b"B", value)
    return written


def sized(kind: bytes, value: bytes) -> bytes:
    return kind + len(value).to_bytes(4, "big") + value


@pytest.fixture(scope="module")
def opened() -> OpenedSystemKey:
    return OpenedSystemKey(KeyContext("dep_1", "_system", "dk_1"), DataKey.random())


def test_each_kind_of_value_has_its_form(opened: OpenedSystemKey) -> None:
    things = [Thing(text, -len(text), text.encode()) for text in TEXTS]
    for thing in [*things, Thing(None, 2**63 - 1, b"%\xff")]:
        guarded = opened.guard(thing)
        assert stored_bytes(guarded) == (by_hand("100%", 37, thing.columns()) + guarded.mac.tag)


def test_a_record_of_the_trail_is_covered_as_any_row(opened: OpenedSystemKey) -> None:
    mac = opened.guard(EVENT).mac
    columns = opened.guarded_columns(AuditEvent, EVENT.columns())
    assert columns == {**EVENT.columns(), "mac_key_id": mac.key_id, "mac": mac.tag}
    assert stored_bytes(opened.guard(EVENT)) == (
        by_hand("audit_events", 1, EVENT.columns()) + mac.tag
    )
