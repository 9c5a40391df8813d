"""Attacks and accidents that take more than one row, and what remains possible by design."""

import pytest

from tests.support import databases
from tests.support.audit_trail import Trail
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment, Snapshot

ON_POSTGRESQL = pytest.mark.skipif(
    not isinstance(databases.chosen, databases.PostgresqlDatabases),
    reason="SQLite has one writer at a time",
)


@pytest.fixture
def sealed(trail: Trail) -> Trail:
    """A trail with two sealings."""
    for _ in range(2):
        trail.record("acct_a", "sec_1@1", times=3)
        trail.sealer.seal()
        trail.clock.advance(seconds=60)
    return trail


def newest(rows: Rows, account_id: str) -> Row:
    return max(rows.all("audit_events", account_id=account_id), key=lambda row: int(row["n"]))


def take_back_newest(rows: Rows, account_id: str) -> None:
    """Delete the newest record of an account together with its counter's last step."""
    last = newest(rows, account_id)
    rows.remove("audit_events", account_id=account_id, id=last["id"])
    lane = {"account_id": account_id, "lane": last["lane"]}
    rows.edit("audit_lanes", lane, n=last["n"] - 1)


def test_a_sealed_record_that_goes_with_its_counter_is_reported(sealed: Trail, rows: Rows) -> None:
    take_back_newest(rows, "acct_a")

    faults = sealed.verifier.verify().faults

    assert any("audit_lanes" in fault for fault in faults)
    assert any("audit_events" in fault for fault in faults)


def test_an_unsealed_tail_can_go_with_its_counter_where_no_worker_lives(
    sealed: Trail, rows: Rows
) -> None:
    """The first of the two exceptions that the documentation names."""
    sealed.record("acct_a")
    take_back_newest(rows, "acct_a")

    assert sealed.verifier.verify().ok


def test_an_old_database_is_right_where_nobody_kept_a_head(
    deployment: Deployment, sealed: Trail
) -> None:
    """The second of the two exceptions that the documentation names."""
    old = deployment.snapshot()
    _go_on(sealed)
    deployment.restore(old)

    assert sealed.verifier.verify().ok


def test_an_old_database_is_reported_by_a_head_that_was_kept(
    deployment: Deployment, sealed: Trail
) -> None:
    old = deployment.snapshot()
    kept = _go_on(sealed)
    deployment.restore(old)

    assert sealed.verifier.verify([kept]).faults == [
        "the head of size 6 that was kept is not of this log"
    ]


def test_an_old_database_that_grew_on_is_reported_by_a_head_that_was_kept(
    deployment: Deployment, sealed: Trail
) -> None:
    _, kept = _lose(deployment, sealed)

    assert not sealed.verifier.verify([kept]).ok


def test_a_loss_that_was_accepted_explains_the_heads_of_what_was_lost(
    deployment: Deployment, sealed: Trail
) -> None:
    earlier, kept = _lose(deployment, sealed)
    sealed.losses.accept(kept)

    findings = sealed.verifier.verify([earlier, kept])

    assert (findings.faults, len(findings.explained)) == ([], 1)


def test_a_loss_explains_no_head_that_was_signed_after_it(
    deployment: Deployment, sealed: Trail
) -> None:
    _, kept = _lose(deployment, sealed)
    sealed.losses.accept(kept)
    sealed.clock.advance(seconds=60)
    old = deployment.snapshot()
    sealed.record("acct_a")
    later = sealed.note()
    deployment.restore(old)
    sealed.record("acct_b")
    sealed.sealer.seal()

    assert not sealed.verifier.verify([later]).ok


def test_a_trigger_that_swallows_records_shows_in_the_lanes(sealed: Trail, rows: Rows) -> None:
    if isinstance(databases.chosen, databases.PostgresqlDatabases):
        rows.execute(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN DELETE FROM audit_events WHERE id = NEW.id; RETURN NULL; END$$"
        )
        after = "AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION swallow()"
        rows.execute(f"CREATE TRIGGER swallowing {after}")
    else:
        rows.execute(
            "CREATE TRIGGER swallowing AFTER INSERT ON audit_events "
            "BEGIN DELETE FROM audit_events WHERE id = NEW.id; END"
        )
    sealed.record("acct_a", times=2)

    faults = sealed.verifier.verify().faults

    assert any("acct_a" in fault and "7 to 8" in fault for fault in faults)


@ON_POSTGRESQL
def test_a_commit_that_arrives_late_leaves_no_gap(trail: Trail) -> None:
    with trail.database.writing() as late:
        trail.add(late, "acct_a")
        trail.record("acct_a", times=31)
        trail.sealer.seal()
        late.commit()

    findings = trail.verifier.verify()

    assert (findings.faults, findings.events) == ([], 33)


def _go_on(trail: Trail) -> str:
    """Seal three records more, in a sealing each, and return the newest head."""
    for _ in range(3):
        trail.record("acct_a")
        trail.sealer.seal()
        trail.clock.advance(seconds=60)
    return trail.note()


def _lose(deployment: Deployment, trail: Trail) -> tuple[str, str]:
    """Lose the newest part of the log, and let it grow on.

    Returns:
        A head from before, and one of what was lost.
    """
    old: Snapshot = deployment.snapshot()
    earlier, kept = trail.note(), _go_on(trail)
    lost_at = trail.clock.now_ms
    deployment.restore(old)
    trail.clock.set(seconds=(lost_at - trail.clock.now_ms) / 1000 + 60)
    for _ in range(4):
        trail.record("acct_b")
        trail.sealer.seal()
        trail.clock.advance(seconds=60)
    return earlier, kept
