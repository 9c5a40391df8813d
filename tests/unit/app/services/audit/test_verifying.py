"""Verification reports each change of a row, with its place."""

from tests.support.audit_trail import Trail


def test_a_trail_that_nobody_changed_has_no_fault(trail: Trail) -> None:
    for _ in range(3):
        trail.record("acct_a", "sec_1@1", times=3)
        trail.record("acct_b", "sec_2@1", "sec_3@1")
        trail.sealer.seal()
    trail.record("acct_a")

    findings = trail.verifier.verify()

    assert findings.faults == []
    assert (findings.events, findings.blocks, findings.heads) == (14, 8, 4)
