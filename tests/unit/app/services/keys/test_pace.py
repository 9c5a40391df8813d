"""A sweep keeps to the number of rows a second that it was given, and waits for nothing else."""

from collections import Counter
from functools import partial

import pytest

from app.services.keys.failure_reasons import FailureReason
from app.services.rotation import recover as recovery
from app.services.rotation import reencrypt, rewrap
from app.services.rotation.progress import Progress, RateLimiter
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.escrow import Loss
from tests.unit.app.services.keys.moving import Move, ignore

DATA_KEYS = 5  # the system's, and two of either tenant


class Time:
    """Seconds that pass only where somebody sleeps, or where the test says so."""

    def __init__(self) -> None:
        self.now = 50.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def pace(time: Time, rate: float | None) -> RateLimiter:
    return RateLimiter(1000, rate, ignore, clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize(("rate", "most"), [(0.2, 1), (1, 1), (7.9, 7), (150, 150)])
def test_a_batch_is_what_the_bound_allows_in_a_second(time: Time, rate: float, most: int) -> None:
    assert pace(time, rate).limit == most


def test_without_a_bound_nothing_waits(time: Time) -> None:
    unbound = pace(time, None)
    for _ in range(3):
        unbound.wait(200)
    assert time.slept == []


def test_the_first_batch_begins_at_once(time: Time) -> None:
    pace(time, 1).wait(1)
    assert sum(time.slept) == 0


@pytest.mark.parametrize(("rate", "rows", "apart"), [(1, 1, 1), (0.5, 1, 2), (40, 40, 1)])
def test_further_batches_begin_as_far_apart_as_the_bound_says(
    time: Time, rate: float, rows: int, apart: float
) -> None:
    bound = pace(time, rate)
    begun = []
    for _ in range(4):
        bound.wait(rows)
        begun.append(time.now)
    assert begun == [50.0, 50.0 + apart, 50.0 + 2 * apart, 50.0 + 3 * apart]


def test_the_time_that_a_batch_takes_counts(time: Time) -> None:
    bound = pace(time, 10)
    bound.wait(10)
    time.now += 0.75
    bound.wait(10)
    assert time.slept == [0.0, 0.25]


def test_what_a_slow_batch_lost_is_not_made_up_for(time: Time) -> None:
    bound = pace(time, 10)
    bound.wait(10)
    time.now += 60
    bound.wait(10)
    bound.wait(10)
    assert time.slept == [0.0, 0.0, 1.0]


def test_rows_that_need_no_work_cost_no_time(time: Time) -> None:
    bound = pace(time, 1)
    bound.wait(1)
    bound.wait(0)
    assert sum(time.slept) == 0


def test_the_time_left_is_told_from_the_pace_so_far(time: Time) -> None:
    seen: list[Progress] = []
    bound = RateLimiter(10, 1, seen.append, clock=time.clock, sleep=time.sleep)
    time.now += 6
    bound.step(done=4, changed=3, reasons=Counter({FailureReason.ROW_EDITED: 1}))
    assert seen == [
        Progress(
            done=4,
            position=4,
            total=10,
            changed=3,
            reasons={FailureReason.ROW_EDITED: 1},
            seconds_remaining=9.0,
        )
    ]


@pytest.fixture
def sweep_time(time: Time, monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time that sweeps go by."""
    for sweep in (rewrap, reencrypt, recovery):
        monkeypatch.setattr(
            sweep, "RateLimiter", partial(RateLimiter, clock=time.clock, sleep=time.sleep)
        )
    return time


def test_a_rewrap_keeps_to_its_rate(move: Move, tenants: list[Tenant], sweep_time: Time) -> None:
    changed: list[tuple[float, int]] = []
    services = move.process(move.b, move.a)
    services.rewrap.run(lambda now: changed.append((sweep_time.now, now.changed)), rate=2)
    assert changed == [(50.0, 2), (51.0, 4), (52.0, DATA_KEYS)]


def test_a_rewrap_does_not_wait_for_what_was_done_before(
    move: Move, tenants: list[Tenant], sweep_time: Time
) -> None:
    services = move.process(move.b, move.a)
    services.rewrap.run(ignore)
    services.rewrap.run(ignore, rate=0.001)
    assert sum(sweep_time.slept) == 0


def test_counting_in_a_dry_run_waits_for_nothing(
    move: Move, tenants: list[Tenant], sweep_time: Time
) -> None:
    move.process(move.b, move.a).rewrap.run(ignore, rate=0.001, dry_run=True)
    assert sum(sweep_time.slept) == 0


def test_a_re_encryption_keeps_to_its_rate_within_one_data_key(
    move: Move, sweep_time: Time
) -> None:
    services = move.process(move.a)
    tenant = new_tenant(services)
    for number in range(5):
        tenant.create(f"NAME{number}")
    changed: list[tuple[float, int]] = []
    services.reencrypt.run(lambda now: changed.append((sweep_time.now, now.changed)), rate=2)
    # half a second for the data key, then two values a second
    assert changed == [(50.0, 0), (50.5, 2), (51.5, 4), (52.5, 5), (52.5, 5)]


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_recovery_keeps_to_its_rate(
    move: Move, tenants: list[Tenant], sweep_time: Time, *, dry_run: bool
) -> None:
    loss = Loss.of(move)
    done: list[tuple[float, int]] = []
    loss.process().recovery.run(
        loss.private, lambda now: done.append((sweep_time.now, now.done)), rate=2, dry_run=dry_run
    )
    assert done == [(50.0, 2), (51.0, 4), (52.0, DATA_KEYS)]
