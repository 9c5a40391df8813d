"""A worker seals, writes heads into its log, and notices a log that became shorter."""

import pytest

from app.services.upkeep.audit_log import SEAL_S, WAITING, AuditLogUpkeep
from tests.support.audit_trail import Trail
from tests.support.databases import Rows
from tests.support.deployment import Deployment


@pytest.fixture
def upkeep(trail: Trail) -> AuditLogUpkeep:
    return AuditLogUpkeep(trail.database, trail.sealer, trail.heads, trail.clock.boot)


def events_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "strongroom.audit"]


def test_a_head_is_logged_each_minute_also_when_nothing_was_recorded(
    trail: Trail, upkeep: AuditLogUpkeep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(3):
        upkeep.look()
        upkeep.look()
        trail.clock.advance(seconds=SEAL_S)

    assert events_of(caplog) == ["audit_head"] * 3


def test_a_logged_head_verifies(
    trail: Trail, upkeep: AuditLogUpkeep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    upkeep.look()
    note = caplog.records[-1].__dict__["detail"]

    assert trail.verifier.verify([note]).faults == []


def test_many_waiting_records_are_sealed_before_their_time(
    trail: Trail, upkeep: AuditLogUpkeep, rows: Rows
) -> None:
    upkeep.look()
    trail.record_at_once("acct_a", times=WAITING - 1)
    upkeep.look()
    assert rows.all("audit_blocks", account_id="acct_a") == []

    trail.record("acct_a")
    upkeep.look()
    assert sum(row["count"] for row in rows.all("audit_blocks", account_id="acct_a")) == WAITING


def test_records_wait_until_they_are_sealed(trail: Trail, upkeep: AuditLogUpkeep) -> None:
    upkeep.look()
    trail.record("acct_a")
    upkeep.look()
    assert upkeep.waiting == 1

    trail.clock.advance(seconds=SEAL_S)
    upkeep.look()
    assert upkeep.waiting == 0


def test_a_log_that_became_shorter_is_reported(
    deployment: Deployment,
    trail: Trail,
    upkeep: AuditLogUpkeep,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trail.sealer.seal()
    old = deployment.snapshot()
    trail.record("acct_a")
    upkeep.look()
    deployment.restore(old)
    trail.clock.advance(seconds=2 * SEAL_S)
    upkeep.look()

    assert "audit_rolled_back" in events_of(caplog)
