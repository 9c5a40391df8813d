"""Periodic tasks of a serving process: heartbeats, sweeps, proofs.

Each task has a daemon thread of its own, so a slow one delays no other. Tasks are registered while
the services are built and run only where ``start`` is called: in a worker, never in a command.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

from app.domain.errors import DomainError

# Of its own: what others draw from the shared one does not depend on when a task runs.
_CHANCE = random.Random()  # noqa: S311 - no secret

_LOG = logging.getLogger("strongroom.periodic")


class PeriodicTask:
    """One task, run at an interval of which up to a tenth is left out at random.

    The random part keeps the workers of a deployment from doing the same at the same moment.

    Args:
        name: For the log.
        interval_s: Seconds from the end of one run to the start of the next.
        run: The work. It must end by itself in bounded time; what it raises is logged.
        first_after_s: Seconds from ``start`` to the first run.
    """

    def __init__(
        self, name: str, interval_s: float, run: Callable[[], None], *, first_after_s: float = 0.0
    ) -> None:
        self._name = name
        self._interval_s = interval_s
        self._run = run
        self._first_after_s = first_after_s
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call changes nothing."""
        if self._thread is None and not self._is_stopped.is_set():
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Start no further run."""
        self._is_stopped.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for a run under way. Returns false if it did not end within ``timeout_s``."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _loop(self) -> None:
        pause_s = self._first_after_s
        while not self._is_stopped.wait(pause_s):
            try:
                self._run()
            except Exception as error:  # noqa: BLE001 - the next run may succeed
                cause = f": {error.operator_message}" if isinstance(error, DomainError) else ""
                about = {"detail": self._name + cause, "exception": type(error).__name__}
                _LOG.error("task_failed", extra=about)
            pause_s = self._interval_s * _CHANCE.uniform(0.9, 1)


class PeriodicTasks:
    """All periodic tasks of one process."""

    def __init__(self) -> None:
        self._tasks: list[PeriodicTask] = []

    def add(
        self, name: str, interval_s: float, run: Callable[[], None], *, first_after_s: float = 0.0
    ) -> None:
        """Register a task; see ``PeriodicTask``. It runs once ``start`` was called."""
        self._tasks.append(PeriodicTask(name, interval_s, run, first_after_s=first_after_s))

    def start(self) -> None:
        """Start every task."""
        for task in self._tasks:
            task.start()

    def stop(self, timeout_s: float) -> bool:
        """Stop every task. Returns false if a run did not end within ``timeout_s`` in all."""
        for task in self._tasks:
            task.stop()
        deadline = time.monotonic() + timeout_s
        ended = [task.join(max(0.0, deadline - time.monotonic())) for task in self._tasks]
        return all(ended)
