"""Columns of one row open in no other: whatever two rows exchange, nothing is served.

Every proper subset of the columns in which two rows differ is exchanged in the database, and then
the values that either row stands for are asked for.
"""

from collections.abc import Iterator
from itertools import combinations

import pytest

from app.domain.errors import DomainError
from backends.errors import KeyProviderError
from tests.support.databases import Row, Rows
from tests.support.deployment import Ask, Asking, Deployment, Tenant, new_tenant

UNREAD = {"secrets": ("create_time_ms", "update_time_ms", "mac_key_id", "mac")}
"""Columns that a redemption does not read: what is shown, and what an update verifies."""

Pair = tuple[Row, Row]


@pytest.fixture
def old(tenant: Tenant, deployment: Deployment) -> Tenant:
    """Its secret OLD is sealed under a decrypt-only data key, NEW under the active one."""
    tenant.create("OLD", "an old value")
    deployment.clock.advance(days=31)
    tenant.create("NEW", "a new value")
    tenant.update("NEW", "a newer value")
    return tenant


def test_no_columns_of_two_secrets_can_be_exchanged(
    old: Tenant, rows: Rows, asking: Asking
) -> None:
    asked = [asking(old, "OLD"), asking(old, "NEW")]
    pair = rows.one("secrets", name="OLD"), rows.one("secrets", name="NEW")
    assert served_after_exchanges(rows, "secrets", pair, asked) == []


def test_no_columns_of_the_secrets_of_two_accounts_can_be_exchanged(
    old: Tenant, rows: Rows, asking: Asking
) -> None:
    other = new_tenant(old.services)
    other.create("OLD", "a value of another account")
    asked = [asking(old, "OLD"), asking(other, "OLD")]
    pair = [
        rows.one("secrets", name="OLD", account_id=each.caller.account_id) for each in (old, other)
    ]
    assert served_after_exchanges(rows, "secrets", (pair[0], pair[1]), asked) == []


def test_no_columns_of_two_data_keys_can_be_exchanged(
    old: Tenant, rows: Rows, asking: Asking
) -> None:
    asked = [asking(old, "OLD"), asking(old, "NEW")]
    pair = data_keys_of(rows, "OLD", "NEW")
    assert served_after_exchanges(rows, "data_keys", pair, asked) == []


def test_no_columns_of_the_data_keys_of_two_accounts_can_be_exchanged(
    old: Tenant, rows: Rows, asking: Asking
) -> None:
    other = new_tenant(old.services)
    other.create("OTHER", "a value of another account")
    asked = [asking(old, "NEW"), asking(other, "OTHER")]
    pair = data_keys_of(rows, "NEW", "OTHER")
    assert served_after_exchanges(rows, "data_keys", pair, asked) == []


def test_no_columns_of_two_wrappings_can_be_exchanged(
    old: Tenant, rows: Rows, asking: Asking
) -> None:
    asked = [asking(old, "OLD"), asking(old, "NEW")]
    first, second = data_keys_of(rows, "OLD", "NEW")
    pair = (
        rows.one("wrappings", data_key_id=first["id"]),
        rows.one("wrappings", data_key_id=second["id"]),
    )
    assert served_after_exchanges(rows, "wrappings", pair, asked) == []


def test_no_columns_of_two_versions_can_be_mixed(old: Tenant, rows: Rows, asking: Asking) -> None:
    ask = asking(old, "OLD")
    before = rows.one("secrets", name="OLD")
    old.update("OLD", "its next value")
    after = rows.one("secrets", name="OLD")
    served = []
    for subset in proper_subsets("secrets", before, after):
        rows.edit("secrets", {"name": "OLD"}, **{each: before[each] for each in subset})
        if not is_refused(ask):
            served.append(subset)
        rows.edit("secrets", {"name": "OLD"}, **after)
    assert served == []


def served_after_exchanges(
    rows: Rows, table: str, pair: Pair, asked: list[Ask]
) -> list[tuple[str, ...]]:
    """The subsets of columns after whose exchange something was served."""
    first, second = pair
    served = []
    for subset in proper_subsets(table, first, second):
        planted = exchanged(pair, subset)
        _replace(rows, table, pair, planted)
        if not all(is_refused(ask) for ask in asked):
            served.append(subset)
        _replace(rows, table, planted, pair)
    assert all(ask() for ask in asked)
    return served


def proper_subsets(table: str, first: Row, second: Row) -> Iterator[tuple[str, ...]]:
    unread = UNREAD.get(table, ())
    columns = [each for each in first if each not in unread and first[each] != second[each]]
    for size in range(1, len(columns)):
        yield from combinations(columns, size)


def exchanged(pair: Pair, columns: tuple[str, ...]) -> Pair:
    first, second = pair
    return (
        first | {column: second[column] for column in columns},
        second | {column: first[column] for column in columns},
    )


def _replace(rows: Rows, table: str, old: Pair, new: Pair) -> None:
    for row in old:
        rows.remove(table, **row)
    for row in new:
        rows.plant(table, row)


def is_refused(ask: Ask) -> bool:
    try:
        ask()
    except (KeyProviderError, DomainError):
        return True
    return False


def data_keys_of(rows: Rows, *names: str) -> Pair:
    first, second = (
        rows.one("data_keys", id=rows.one("secrets", name=name)["data_key_id"]) for name in names
    )
    return first, second
