"""The sentence on slow tests that a run leaves out."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.left_out import LeftOut


class Items:
    """Tests that were not chosen, as pytest has them."""

    def __init__(self, *marks: str) -> None:
        self._marks = marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self._marks else None


def run(**attributes: object) -> LeftOut:
    """A run of tests, or a worker of one."""
    config: Any = SimpleNamespace(**attributes)
    return LeftOut(config)


def said(run: LeftOut) -> list[str]:
    lines: list[str] = []
    reporter: Any = SimpleNamespace(write_line=lines.append)
    run.pytest_terminal_summary(reporter)
    return lines


def deselect(run: LeftOut, *tests: Any) -> None:
    run.pytest_deselected(tests)


SLOW, OTHER = Items("slow", "sqlite"), Items("sqlite")


def test_slow_tests_that_are_left_out_are_counted() -> None:
    alone = run()
    deselect(alone, SLOW, OTHER, SLOW)
    deselect(alone, SLOW)
    assert said(alone) == ["strongroom: 3 slow tests were left out; they run in `make slow`"]


def test_a_run_that_leaves_out_others_says_nothing() -> None:
    alone = run()
    deselect(alone, OTHER)
    assert said(alone) == []


@pytest.mark.parametrize("crashed", [False, True])
def test_the_workers_of_a_run_report_to_it(crashed: bool) -> None:
    whole = run()
    for _ in range(2):
        worker = SimpleNamespace(workeroutput={})
        deselect(run(workeroutput=worker.workeroutput), SLOW, SLOW)
        whole.pytest_testnodedown(worker, None)
    if crashed:
        whole.pytest_testnodedown(SimpleNamespace(), "it crashed")
    assert [line.split()[1] for line in said(whole)] == ["2"]
