"""A worker notices when the database forgets records that it committed."""

import logging

import pytest

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.errors import SecretNameExists
from app.services.audit.witness import LIMIT, Witness
from app.services.container import Services
from tests.support.databases import Rows
from tests.support.deployment import Tenant
from tests.unit.app.services.audit.trail_of import details, records


def run_upkeep(services: Services) -> None:
    services.audit.upkeep.run()


def forget_newest(rows: Rows, account_id: str) -> None:
    """Remove the newest record of an account, together with its counter."""
    (lane,) = rows.all("audit_lanes", account_id=account_id)
    rows.remove("audit_events", account_id=account_id, n=lane["n"])
    rows.edit("audit_lanes", {"account_id": account_id}, n=lane["n"] - 1)


def findings(services: Services) -> list[dict[str, object]]:
    return [details(each) for each in records(services) if each.action == "audit.rolled_back"]


def test_a_tail_that_is_gone_with_its_counter_is_found_within_a_minute(
    tenant: Tenant, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.create("A")
    account_id = tenant.caller.account_id
    (before,) = rows.all("audit_lanes", account_id=account_id)
    forget_newest(rows, account_id)
    run_upkeep(tenant.services)
    found = {"lane": before["lane"], "committed": before["n"], "found": before["n"] - 1}
    assert findings(tenant.services) == [found]
    (logged,) = [each for each in caplog.records if each.msg == "audit_rolled_back"]
    assert logged.levelno == logging.CRITICAL


def test_a_tail_that_is_gone_is_found_by_the_next_use(tenant: Tenant, rows: Rows) -> None:
    tenant.create("A")
    forget_newest(rows, tenant.caller.account_id)
    tenant.create("B")
    assert tenant.services.audit.upkeep.trail.witness.take_found(9) != []


def test_a_finding_is_reported_once(tenant: Tenant, rows: Rows) -> None:
    tenant.create("A")
    forget_newest(rows, tenant.caller.account_id)
    run_upkeep(tenant.services)
    tenant.create("B")
    run_upkeep(tenant.services)
    assert len(findings(tenant.services)) == 1


def test_a_lane_that_is_gone_altogether_is_found(tenant: Tenant, rows: Rows) -> None:
    tenant.create("A")
    rows.remove("audit_events", account_id=tenant.caller.account_id)
    rows.remove("audit_lanes", account_id=tenant.caller.account_id)
    run_upkeep(tenant.services)
    assert [each["found"] for each in findings(tenant.services)] == [0]


def test_nothing_is_found_while_nobody_interferes(tenant: Tenant) -> None:
    for name in ("A", "B", "C"):
        tenant.create(name)
        run_upkeep(tenant.services)
    assert findings(tenant.services) == []


def test_what_was_undone_is_not_remembered(tenant: Tenant) -> None:
    tenant.create("A")
    trail = tenant.services.audit.upkeep.trail
    before = dict(trail.witness.committed)
    with pytest.raises(SecretNameExists):
        tenant.create("A")
    assert dict(trail.witness.committed) == before


def test_the_lanes_that_were_used_last_are_remembered() -> None:
    witness = Witness()
    for number in range(LIMIT + 10):
        witness.note("acct", number, 1)
    assert len(witness.committed) == LIMIT
    assert ("acct", 9) not in witness.committed
    assert ("acct", 10) in witness.committed


def test_a_late_note_of_a_lower_count_changes_nothing() -> None:
    witness = Witness()
    witness.note(SYSTEM_ACCOUNT_ID, 1, 7)
    witness.note(SYSTEM_ACCOUNT_ID, 1, 6)
    assert witness.committed == {(SYSTEM_ACCOUNT_ID, 1): 7}


def test_a_count_that_no_server_wrote_is_left_alone(tenant: Tenant, rows: Rows) -> None:
    tenant.create("A")
    for count in (2**63 - 1, -7):
        rows.edit("audit_lanes", {"account_id": tenant.caller.account_id}, n=count)
        tenant.create(f"B{abs(count)}")
