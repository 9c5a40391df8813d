"""Counts the slow tests that a run leaves out, and says at its end who runs them."""

from collections.abc import Sequence
from typing import Any

import pytest

_COUNT = "slow_tests_left_out"


class LeftOut:
    """A plugin for a run of tests, and for each of its workers, which report to the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._to_the_run: dict[str, object] = getattr(config, "workeroutput", {})
        self._count = 0

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count the slow ones."""
        slow = [item for item in items if item.get_closest_marker("slow")]
        self._count += len(slow)
        self._to_the_run[_COUNT] = self._count

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take the count of a worker that has ended; each has chosen among all tests."""
        output = getattr(node, "workeroutput", {})  # which a worker that crashed has not sent
        self._count = max(self._count, output.get(_COUNT, 0))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the sentence, unless nothing was left out."""
        if self._count:
            terminalreporter.write_line(
                f"strongroom: {self._count} slow tests were left out; they run in `make slow`"
            )
