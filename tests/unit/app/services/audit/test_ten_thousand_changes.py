"""Of 10,000 records with one change each, every one is reported with its place."""

import re
from collections.abc import Iterator

import pytest

from tests.support.audit_trail import Trail
from tests.support.databases import Row, Rows

RECORDS = 10_000
AT_ONCE = 500
_GAP = re.compile(r"account (\w+), lane (\d+), (\d+) to (\d+)")
_ROW = re.compile(r"the row (\w+) of audit_events")

pytestmark = pytest.mark.slow


def test_every_changed_record_is_named(trail: Trail, rows: Rows) -> None:
    for number in range(RECORDS // AT_ONCE):
        trail.record_at_once(f"acct_{number % 4}", f"sec_{number}@1", times=AT_ONCE)
    trail.sealer.seal()
    records = [row for row in rows.all("audit_events") if row["account_id"] != "_system"]
    rows.execute("BEGIN")
    for number, record in enumerate(records):
        _change(rows, record, number)
    rows.execute("COMMIT")

    findings = trail.verifier.verify(listed=10 * RECORDS)

    named = {place for fault in findings.faults for place in _places(fault)}
    lacking = [
        row
        for row in records
        if row["id"] not in named and (row["account_id"], row["lane"], row["n"]) not in named
    ]
    assert len(records) == RECORDS
    assert lacking == []


def _change(rows: Rows, record: Row, number: int) -> None:
    """Make one change of a kind that the number chooses."""
    this = {"account_id": record["account_id"], "id": record["id"]}
    kinds: list[dict[str, object] | None] = [
        None,
        {"at_ms": record["at_ms"] + 1},
        {"actor": "key_other"},
        {"action": "secret.deleted"},
        {"outcome": "refused"},
        {"subjects": "sec_other@1"},
        {"details": "{}"},
        {"address": "192.0.2.1"},
        {"request_id": "another"},
        {"issuers": "key_above"},
        {"n": record["n"] + RECORDS},
        {"lane": record["lane"] + 1},
        {"mac": bytes(33)},
        {"mac_key_id": "dk_other"},
    ]
    change = kinds[number % len(kinds)]
    if change is None:
        rows.remove("audit_events", **this)
    else:
        rows.edit("audit_events", this, **change)


def _places(fault: str) -> Iterator[object]:
    yield from _ROW.findall(fault)
    for account, lane, first, last in _GAP.findall(fault):
        for position in range(int(first), int(last) + 1):
            yield account, int(lane), position
