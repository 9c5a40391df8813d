"""The end of a command that is to be started again: SIGTERM first, SIGKILL to what stays."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 10.0  # as in Doppler's command
_KILLED_SECONDS = 1.0  # until the kernel has removed what was killed
_POLL_SECONDS = 0.05


class GracefulStop:
    """Ends a process group.

    It is over when the leader has ended and nobody of its group is there any more: what the leader
    started may still use its ports and files.

    Args:
        send: Sends a signal to the group.
        has_members: Returns True while a process of the group runs.
    """

    def __init__(
        self,
        send: Callable[[int], None],
        has_members: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._has_members = has_members
        self._now = now
        self._deadline = 0.0
        self._is_killed = False
        self.has_begun = False

    def begin(self) -> None:
        """Ask the group to end. One that is stopped is continued, or it would not hear it."""
        self.has_begun = True
        self._deadline = self._now() + GRACE_SECONDS
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)

    def patience(self, *, leader_ended: bool) -> float | None:
        """Return the seconds after which to ask `is_over` again, None if nothing has begun."""
        if not self.has_begun:
            return None
        return _POLL_SECONDS if leader_ended else max(_POLL_SECONDS, self._deadline - self._now())

    def is_over(self, *, leader_ended: bool) -> bool:
        """Return True if nothing of the group remains. Kills it once its time has passed."""
        if leader_ended and not self._has_members():
            return True
        if self._now() < self._deadline:
            return False
        if self._is_killed:
            return leader_ended
        self._is_killed = True
        self._deadline = self._now() + _KILLED_SECONDS
        self._send(signal.SIGKILL)
        return False


def has_members(group: int) -> bool:
    """Return True if a process of the group runs; False where there is no /proc."""
    return any(member == group and state not in "ZX" for state, member in _processes())


def _processes() -> Iterator[tuple[str, int]]:
    """Yield state and group of each process, proc(5)."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, group = file.read_text(errors="replace").rpartition(")")[2].split()[:3]
            yield state, int(group)
