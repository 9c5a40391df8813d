"""Each change of a single row that a writer of the database can make is reported."""

import sqlite3
from collections.abc import Iterator

import psycopg
import pytest

from app.services.container import Services
from tests.support.audit_changes import TABLES, Change, changes
from tests.support.audit_trail import Trail
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""Changes that a unique key forbids, which whoever owns the tables cannot make either."""


@pytest.fixture
def before(trail: Trail, rows: Rows) -> dict[str, list[Row]]:
    """Two accounts whose oldest records were cut, and records that no block seals yet."""
    trail.record("acct_a", "sec_1@1", times=2)
    trail.sealer.seal()
    trail.clock.advance(days=401)
    for _ in range(2):
        trail.record("acct_a", "sec_1@2", times=2)
        trail.record("acct_b", "sec_2@1", "sec_3@1")
        trail.sealer.seal()
        trail.clock.advance(seconds=60)
    trail.cutter.cut()
    trail.record("acct_a")
    trail.record("acct_c")
    assert trail.verifier.verify().faults == []
    trail.record("acct_a")
    found = {table: rows.all(table) for table in TABLES}
    assert all(found.values())
    return found


@pytest.mark.parametrize("table", TABLES)
def test_each_kind_of_change_of_a_row_is_reported(
    deployment: Deployment, services: Services, rows: Rows, before: dict[str, list[Row]], table: str
) -> None:
    kinds: dict[str, Change] = {}
    for change in changes(before):
        if change.table == table:
            kinds.setdefault(change.name.split("-", 2)[2], change)

    assert _unseen(deployment, services, rows, before, iter(kinds.values())) == []


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_each_change_of_each_row_is_reported(
    deployment: Deployment, services: Services, rows: Rows, before: dict[str, list[Row]], table: str
) -> None:
    of_table = (change for change in changes(before) if change.table == table)

    assert _unseen(deployment, services, rows, before, of_table) == []


def _unseen(
    deployment: Deployment,
    services: Services,
    rows: Rows,
    before: dict[str, list[Row]],
    made: Iterator[Change],
) -> list[str]:
    """Make each change alone, and return the names of those that no fault reports."""
    unseen = []
    for change in made:
        try:
            change.make(rows)
        except REFUSED:
            pass
        else:
            faults = Trail.of(deployment, services).verifier.verify().faults
            if not any(_names(change, fault) for fault in faults):
                unseen.append(f"{change.name}: {faults}")
        for table, found in before.items():
            rows.remove(table)
            for row in found:
                rows.plant(table, row)
    return unseen


def _names(change: Change, fault: str) -> bool:
    """Return whether a fault names the place: the table and, where a row has one, the lane.

    A counter without records is a gap of its lane; the log without its cut lacks its first leaves.
    """
    if change.table == "audit_lanes":
        return "lane " in fault
    if change.table in {"audit_blocks", "audit_cuts"}:
        return any(word in fault for word in (change.table, "block ", "leaf ", "leaves "))
    return change.table in fault
