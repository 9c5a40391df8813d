"""The progress of sweeps that were stopped, and are run again."""

from collections.abc import Callable

import pytest

from app.services.rotation import retire
from app.services.rotation.progress import Progress, Report
from tests.support.deployment import Tenant
from tests.unit.app.services.keys.moving import Move, key_ref

DATA_KEYS = 5  # the system's, and two of either tenant

Sweep = Callable[[Move, Report], Progress]


class Stopped(Exception):
    pass


def stopping_at(position: int) -> Report:
    def report(progress: Progress) -> None:
        if progress.position == position:
            raise Stopped

    return report


def rewrap(move: Move, report: Report) -> Progress:
    return move.process(move.b, move.a).rewrap.run(report, rate=1e9)


def one_by_one(move: Move, report: Report) -> Progress:
    return move.process(move.b, move.a).rewrap.run(report, rate=1.5)


def reencrypt(move: Move, report: Report) -> Progress:
    return move.process(move.a).reencrypt.run(report)


def positions(sweep: Sweep, move: Move) -> list[tuple[int, int]]:
    seen: list[Progress] = []
    sweep(move, seen.append)
    return [(each.position, each.total) for each in seen]


def test_a_rewrap_begins_at_what_was_done_before(move: Move, tenants: list[Tenant]) -> None:
    with pytest.raises(Stopped):
        one_by_one(move, stopping_at(2))
    assert positions(one_by_one, move) == [(at, DATA_KEYS) for at in (2, 2, 3, 4, 5)]


def test_a_rewrap_that_has_nothing_to_do_is_done_at_once(move: Move, tenants: list[Tenant]) -> None:
    rewrap(move, lambda _: None)
    assert positions(rewrap, move) == [(DATA_KEYS, DATA_KEYS)]


def test_the_time_remaining_is_unknown_until_something_was_worked_on(
    move: Move, tenants: list[Tenant]
) -> None:
    with pytest.raises(Stopped):
        one_by_one(move, stopping_at(3))
    seen: list[Progress] = []
    one_by_one(move, seen.append)
    known = [each.seconds_remaining is not None for each in seen]
    assert known == [False, False, False, True, True]


def test_a_reencryption_counts_only_what_remains(move: Move, tenants: list[Tenant]) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        move.deployment.clock.advance(seconds=1)  # new data keys are newer than the job
        seen.append(progress)
        if progress.position:
            raise Stopped

    with pytest.raises(Stopped):
        reencrypt(move, stop)
    done, total = seen[-1].position, seen[-1].total
    assert 0 < done < total
    assert positions(reencrypt, move)[0] == (0, total - done)


def test_no_position_is_beyond_the_total(move: Move, tenants: list[Tenant]) -> None:
    with pytest.raises(Stopped):
        one_by_one(move, stopping_at(2))
    tenants[0].at(move.process(move.a)).create("MORE")
    for sweep in (one_by_one, reencrypt):
        assert all(position <= total for position, total in positions(sweep, move))


def test_a_retirement_counts_only_what_remains(
    move: Move, tenants: list[Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retire, "BATCH", 2)
    rewrap(move, lambda _: None)
    old = key_ref(move.a)
    with pytest.raises(Stopped):
        move.process(move.b, move.a).retire.run(old, stopping_at(2))
    seen: list[Progress] = []
    move.process(move.b, move.a).retire.run(old, seen.append)
    assert [(each.position, each.total) for each in seen] == [(2, 3), (3, 3)]
    assert {each.unit for each in seen} == {"wrappings"}
