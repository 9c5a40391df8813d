"""Verification reports each change of a row, with its place."""

from threading import Thread

from tests.support.audit_trail import Trail
from tests.support.deployment import Deployment


def test_a_trail_that_nobody_changed_has_no_fault(trail: Trail) -> None:
    for _ in range(3):
        trail.record("acct_a", "sec_1@1", times=3)
        trail.record("acct_b", "sec_2@1", "sec_3@1")
        trail.sealer.seal()
    trail.record("acct_a")

    findings = trail.verifier.verify()

    assert findings.faults == []
    assert (findings.events, findings.blocks, findings.heads) == (14, 8, 4)


def test_a_verification_beside_writers_and_sealers_finds_no_fault(
    deployment: Deployment, trail: Trail
) -> None:
    def write_and_seal() -> None:
        other = Trail.of(deployment, deployment.process())
        for number in range(20):
            other.record(f"acct_{number % 3}", f"sec_{number}@1", times=3)
            other.sealer.seal()

    threads = [Thread(target=write_and_seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    faults = []
    while any(thread.is_alive() for thread in threads):
        faults += trail.verifier.verify().faults
    for thread in threads:
        thread.join()

    assert faults == []
    assert trail.verifier.verify().events == 121
