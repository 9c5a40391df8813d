"""Periodic tasks run in a serving process, each on its own, and end with it."""

import threading

import pytest

from app.services.upkeep.periodic import PeriodicTasks

LONG_S = 3600.0
PATIENCE_S = 30.0


class Counted:
    """A task that tells how often it ran."""

    def __init__(self) -> None:
        self.ran = threading.Semaphore(0)

    def __call__(self) -> None:
        self.ran.release()

    def has_run(self) -> bool:
        return self.ran.acquire(timeout=PATIENCE_S)


def test_a_task_runs_again_after_its_interval() -> None:
    tasks, counted = PeriodicTasks(), Counted()
    tasks.add("t", 0.001, counted)
    tasks.start()
    assert [counted.has_run() for _ in range(3)] == [True] * 3
    assert tasks.stop(PATIENCE_S)


def test_nothing_runs_before_the_start() -> None:
    tasks, counted = PeriodicTasks(), Counted()
    tasks.add("t", 0.001, counted)
    assert tasks.stop(PATIENCE_S)
    assert not counted.ran.acquire(blocking=False)


def test_a_task_that_fails_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()

    def fail() -> None:
        counted()
        raise ValueError("with a secret in it")

    tasks = PeriodicTasks()
    tasks.add("t", 0.001, fail)
    tasks.start()
    assert [counted.has_run() for _ in range(2)] == [True] * 2
    tasks.stop(PATIENCE_S)
    assert "a secret" not in caplog.text


def test_a_task_that_hangs_delays_no_other() -> None:
    tasks, counted, release = PeriodicTasks(), Counted(), threading.Event()

    def hang() -> None:
        release.wait()

    tasks.add("hanging", 0.001, hang)
    tasks.add("t", 0.001, counted)
    tasks.start()
    assert counted.has_run()
    release.set()
    tasks.stop(PATIENCE_S)


def test_stopping_waits_for_the_run_under_way() -> None:
    tasks, running, release = PeriodicTasks(), threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        running.set()
        release.wait()
        ended.append(True)

    tasks.add("t", LONG_S, work)
    tasks.start()
    assert running.wait(PATIENCE_S)
    assert not tasks.stop(0.0)
    release.set()
    assert tasks.stop(PATIENCE_S)
    assert ended == [True]
