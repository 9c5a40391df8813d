"""The memo of a verified row saves work, and accepts no other row."""

from dataclasses import replace
from typing import Any

import pytest

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import Account
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from backends.context import KeyContext
from backends.data_key import DataKey
from tests.contract.repository import rows


@pytest.fixture
def opened() -> OpenedSystemKey:
    context = KeyContext("dep_1", "_system", "dk_1")
    return OpenedSystemKey(context, DataKey.random())


@pytest.fixture
def known(opened: OpenedSystemKey) -> Guarded[Account]:
    """A row that was verified before."""
    guarded = opened.guard(rows.account(devbox=False).unverified)
    opened.verify_often(guarded)
    return guarded


def test_a_known_row_is_believed_again(opened: OpenedSystemKey, known: Guarded[Account]) -> None:
    assert opened.verify_often(known) == rows.account(devbox=False).unverified


def test_a_known_row_that_was_edited_since_is_not_believed(
    opened: OpenedSystemKey, known: Guarded[Account]
) -> None:
    edited = replace(known, unverified=replace(known.unverified, devbox=True))
    with pytest.raises(TamperedRow):
        opened.verify_often(edited)


@pytest.mark.parametrize(
    "change",
    [{"key_id": "dk_2"}, {"tag": b"\x01" + bytes(32)}, {"tag": b"\x02" + bytes(32)}, {"tag": b""}],
    ids=str,
)
def test_a_known_row_with_another_mac_is_not_believed(
    opened: OpenedSystemKey, known: Guarded[Account], change: dict[str, Any]
) -> None:
    with pytest.raises(TamperedRow):
        opened.verify_often(replace(known, mac=replace(known.mac, **change)))


def test_a_row_that_was_refused_is_refused_again(
    opened: OpenedSystemKey, known: Guarded[Account]
) -> None:
    edited = replace(known, unverified=replace(known.unverified, devbox=True))
    for _ in range(2):
        with pytest.raises(TamperedRow):
            opened.verify_often(edited)


def test_another_system_key_does_not_know_the_row(known: Guarded[Account]) -> None:
    other = OpenedSystemKey(KeyContext("dep_1", "_system", "dk_1"), DataKey.random())
    with pytest.raises(TamperedRow):
        other.verify_often(known)


def test_remembered_rows_are_bounded_in_bytes(opened: OpenedSystemKey) -> None:
    large = [rows.account(f"acct_{number}", name="x" * 1_000_000) for number in range(20)]
    for row in large:
        opened.verify_often(opened.guard(row.unverified))
    assert opened._verified.bytes <= 8 * 1024 * 1024
