"""``run --watch``: start the command again when a value has changed.

At intervals a thread asks the server for the id and the time of change of each chosen secret, never
for values. After a change it waits until no more come, and has the new values redeemed. Only then
is the command ended and started again, so whatever fails before leaves the command as it was.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import randbelow
from threading import Thread

from app.client.api import Account, Secret
from app.client.messages import internal_error
from app.client.redeem import Refused, RefusedByServer, hide
from app.client.terminal.start import Job, run_with_restarts

INTERVAL_SECONDS, MAX_INTERVAL_SECONDS = 5, 3600
_SETTLE_SECONDS, _MAX_SETTLE_SECONDS = 1.0, 60.0
_AFTER_RESTART_SECONDS = 10.0
_MAX_BACK_OFF_SECONDS = 60.0
_SINGLE_CALLS = 8  # more secrets are looked up in one list of all
_ALL = 1 << 30
_MISSING = 404
_READ_BYTES = 4096

Stamps = Mapping[str, tuple[str, int] | None]
"""Id and time of the last change by name; None for a secret that does not exist."""


def look(account: Account, names: Iterable[str]) -> Stamps:
    """Return the stamps of the secrets, by name or id. Raises `Refused`."""
    wanted = sorted(set(names))
    if len(wanted) <= _SINGLE_CALLS:
        return {name: _stamp(_find(account, name)) for name in wanted}
    listed = account.secrets(_ALL)
    found = {each.id: each for each in listed} | {each.name: each for each in listed}
    return {name: _stamp(found.get(name)) for name in wanted}


def _find(account: Account, name: str) -> Secret | None:
    try:
        return account.get(name)
    except RefusedByServer as refused:
        if refused.status != _MISSING:
            raise
    return None


def _stamp(secret: Secret | None) -> tuple[str, int] | None:
    return None if secret is None else (secret.id, secret.update_time_ms)


def vary(seconds: float) -> float:
    """Vary by a fifth, so that commands with the same secret are not all restarted at once."""
    return seconds * (0.8 + randbelow(400) / 1000)


class ChangeWatch:
    """Waits for changes of the values that a command was started with.

    Args:
        job: Has these values.
        stamps: From before they were redeemed, so that no change is missed.
        look: Returns the stamps of now.
        fetch: Returns the job with the values of now. Like ``look`` it may raise `Refused`.
        say: Takes a line for the user.
        pause: Sleeps for so many seconds.
    """

    def __init__(
        self,
        job: Job,
        stamps: Stamps,
        *,
        look: Callable[[], Stamps],
        fetch: Callable[[], Job],
        say: Callable[[str], None],
        interval: float = INTERVAL_SECONDS,
        pause: Callable[[float], None] = time.sleep,
        vary: Callable[[float], float] = vary,
    ) -> None:
        self._job, self._stamps = job, stamps
        self._look, self._fetch, self._say = look, fetch, say
        self._interval, self._pause, self._vary = interval, pause, vary
        self._failures, self._complaint = 0, ""
        self._missing: set[str] = set()
        self._has_restarted = False

    def next_job(self) -> Job:
        """Return the job with the values after the next change. Every failure is waited out."""
        least = _AFTER_RESTART_SECONDS if self._has_restarted else 0.0
        while True:
            self._pause(max(least, self._vary(self._delay())))
            least = 0.0
            if (job := self._job_after_change()) is not None:
                self._job = job
                self._has_restarted = True
                return job

    def _delay(self) -> float:
        """Return the interval, doubled with each failure in a row up to a minute."""
        limit = max(self._interval, _MAX_BACK_OFF_SECONDS)
        return min(limit, self._interval * 2.0 ** min(self._failures, 10))

    def _job_after_change(self) -> Job | None:
        try:
            stamps = self._settled()
        except Refused as refused:
            self._complain("the server cannot be asked for changes", refused)
            return None
        self._name_missing(stamps)
        changed = self._changed(stamps)
        try:
            job = self._fetch() if changed else self._job
        except Refused as refused:
            self._complain(f"{_listed(changed)} changed, but cannot be fetched", refused)
            return None
        if self._failures:
            self._say("the server can be asked again")
        self._failures, self._complaint = 0, ""
        self._stamps = {**self._stamps, **{name: stamps[name] for name in changed}}
        if job.environment == self._job.environment:
            return None
        self._say(f"{_listed(changed)} changed: the command is started again")
        return job

    def _settled(self) -> Stamps:
        """Return the stamps once they have stayed the same for a second, or after a minute."""
        stamps, waited = self._look(), 0.0
        while self._changed(stamps) and waited < _MAX_SETTLE_SECONDS:
            self._pause(_SETTLE_SECONDS)
            waited += _SETTLE_SECONDS
            before, stamps = stamps, self._look()
            if stamps == before:
                break
        return stamps

    def _changed(self, stamps: Stamps) -> list[str]:
        """Return the names of secrets that exist and differ from those of the command."""
        return [name for name, stamp in stamps.items() if stamp and stamp != self._stamps[name]]

    def _name_missing(self, stamps: Stamps) -> None:
        missing = {name for name, stamp in stamps.items() if stamp is None}
        if added := missing - self._missing:
            self._say(f"{_listed(added)} was deleted: the command goes on with its value")
        self._missing = missing

    def _complain(self, text: str, refused: Refused) -> None:
        """Report a failure in one line, and not again while it lasts."""
        self._failures += 1
        reasons = " ".join(hide(fault.text) for fault in refused.faults)
        complaint = f"{text}, and the command goes on: {reasons}"
        if complaint != self._complaint:
            self._say(complaint)
        self._complaint = complaint


def _listed(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return f"{first} and {len(others)} others" if others else first


class Watcher:
    """Waits for the next job in a thread, and has the command ended for it.

    Attributes:
        is_due: True once there is a job to start.
        received: Signals by which the user ends us.
    """

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        self._lines: deque[str] = deque()
        self._jobs: deque[Job] = deque()
        self.is_due = False
        self.received: list[int] = []

    def run(self, job: Job, next_job: Callable[[], Job]) -> int:
        """Run the job, and each next one. Returns the exit code of the last command."""
        self._next_job = next_job
        return run_with_restarts(job, self, self._take)

    def say(self, line: str) -> None:
        """Have a line shown. It may come from any thread."""
        self._lines.append(f"strongroom run: {hide(line)}")
        os.write(self._writable, b"\0")

    def start(self) -> None:
        """Begin to wait for the next change."""
        Thread(target=self._wait, daemon=True).start()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to `read`."""
        return self._readable

    def read(self) -> Sequence[str]:
        """Return the lines to show, and set ``is_due``."""
        os.read(self._readable, _READ_BYTES)
        self.is_due = bool(self._jobs)
        return [self._lines.popleft() for _ in range(len(self._lines))]

    def _wait(self) -> None:
        try:
            self._jobs.append(self._next_job())
        except Exception as error:  # noqa: BLE001 - our fault must not end the command
            self.say(f"changes are not watched any more: {internal_error(error)}")
        os.write(self._writable, b"\0")

    def _take(self) -> Job:
        self.is_due = False
        return self._jobs.popleft()
