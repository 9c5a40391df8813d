"""Sealers and cuts that are killed at any statement, or meet another of their kind."""

from collections.abc import Callable

import pytest

from app.repository.sql.driver.statements import Statements
from tests.support.audit_trail import Trail
from tests.support.databases import Rows
from tests.support.deployment import Deployment


class Killed(BaseException):
    """Stands for the end of a process; nothing handles it."""


def run_until(monkeypatch: pytest.MonkeyPatch, statement: int, work: Callable[[], object]) -> bool:
    """Do the work, and kill it before this statement. Returns whether it came to its end."""
    run, seen = Statements._run, 0

    def counted(self: Statements, *arguments: object) -> object:
        nonlocal seen
        seen += 1
        if seen == statement:
            raise Killed
        return run(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Statements, "_run", counted)
        try:
            work()
        except Killed:
            return False
    return True


def test_a_sealer_that_is_killed_at_any_statement_leaves_a_log_that_another_one_continues(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_ended, statement = False, 0
    while not has_ended:
        statement += 1
        trail.record("acct_a", "sec_1@1", times=2)
        trail.record("acct_b")
        has_ended = run_until(monkeypatch, statement, trail.sealer.seal)

    findings = trail.verifier.verify()

    assert statement > 10
    assert (findings.faults, findings.events) == ([], 3 * statement + 1)


def test_of_two_sealers_at_once_one_is_refused_and_looks_again(
    deployment: Deployment, trail: Trail, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    other = Trail.of(deployment, deployment.process())
    insert = trail.sealer._insert
    meets = [True]

    def insert_after_the_other(*arguments: object) -> None:
        if meets:
            meets.pop()
            other.sealer.seal()
        insert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trail.sealer, "_insert", insert_after_the_other)
    trail.record("acct_a", times=3)
    trail.sealer.seal()

    assert trail.verifier.verify().faults == []
    assert sum(row["count"] for row in rows.all("audit_blocks", account_id="acct_a")) == 3


def test_a_cut_that_is_killed_at_any_statement_is_finished_by_the_next(
    deployment: Deployment, trail: Trail, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    for _ in range(3):
        trail.record("acct_a", "sec_1@1", times=2)
        trail.sealer.seal()
    trail.clock.advance(days=401)
    trail.record("acct_b")
    kept = trail.note()
    before, statement, has_ended = deployment.snapshot(), 0, False
    while not has_ended:
        statement += 1
        has_ended = run_until(monkeypatch, statement, trail.cutter.cut)
        trail.cutter.cut()
        found = trail.verifier.verify([kept])
        assert found.faults == [], statement
        assert not rows.all("audit_events", subjects="sec_1@1")
        deployment.restore(before)
        trail.sealer._sealed.clear()

    assert statement > 20


def test_an_unfinished_cut_is_reported(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    trail.record("acct_a", times=2)
    trail.sealer.seal()
    trail.clock.advance(days=401)
    monkeypatch.setattr(trail.cutter, "_delete_before", lambda _: 0)
    trail.cutter.cut()

    assert any("was cut" in fault for fault in trail.verifier.verify().faults)
