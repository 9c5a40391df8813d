"""The requests under way in this process, and what the API is asked and shown about them.

A token may be revoked while its answer streams. So all open uses are asked about in one call every
20 seconds, and those that may not go on are cut off. If the API does not answer they go on, as
nobody has ended them. Ends are reported in batches; while they cannot be, the latest wait.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from app.gateway.admission import AdmissionClient, Admitted, End
from app.gateway.messages.refusals import Refusal
from app.gateway.traffic import Traffic

MAX_REQUESTS = 4096
"""The number of requests under way in one process."""

_PAUSES = 5  # as many report intervals pass after a report that failed
_BATCH = 1000
_MAX_WAITING = 20_000

_LOG = logging.getLogger("strongroom.gateway")


@dataclass(frozen=True, slots=True)
class Pace:
    """The time between two questions, and between two reports, in seconds."""

    recheck: float = 20.0
    report: float = 1.0


class OpenUse:
    """One request under way.

    Attributes:
        admitted: The decision.
        ended: The code that says why it may not go on, once that is so.
        status: The status of the upstream's answer, 0 before.
        bytes_in: The bytes of the request's body.
        bytes_out: The bytes of the answer's body.
        scrub_hits: The number of times that a value stood in the answer.
    """

    def __init__(self, admitted: Admitted) -> None:
        self.admitted = admitted
        self.ended: str | None = None
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.scrub_hits = 0
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._began = self._loop.time()

    def cut_off(self, code: str) -> None:
        """End it: its task is cancelled, which closes both connections."""
        if self.ended is None and self._task is not None:
            self.ended = code
            self._task.cancel()

    def resume(self) -> None:
        """Let the task that was cancelled go on, to say why."""
        if self._task is not None:
            self._task.uncancel()

    def end(self) -> End:
        """Return what there is to report."""
        milliseconds = round((self._loop.time() - self._began) * 1000)
        return End(
            self.admitted.use,
            self.status,
            self.bytes_in,
            self.bytes_out,
            milliseconds,
            self.scrub_hits,
        )


class OpenUses:
    """All requests under way.

    Args:
        admissions: Is asked and gets the reports.
        traffic: Is shown each request that is under way.
    """

    def __init__(
        self, admissions: AdmissionClient, pace: Pace, traffic: Traffic | None = None
    ) -> None:
        self._admissions = admissions
        self._pace = pace
        self._traffic = traffic or Traffic()
        self._open: dict[str, OpenUse] = {}
        self._of_tokens: Counter[str] = Counter()
        self._ends: deque[End] = deque(maxlen=_MAX_WAITING)
        self._has_ends = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def require_room(self) -> None:
        """Refuse a request if the process has as many as it carries, before it is admitted.

        Raises:
            Refusal: It has.
        """
        if len(self._open) >= MAX_REQUESTS:
            raise Refusal.of("gateway_busy")

    @contextmanager
    def opened(self, admitted: Admitted) -> Iterator[OpenUse]:
        """Count a request as under way, and report its end.

        Raises:
            Refusal: The token has as many under way as it may.
        """
        use = OpenUse(admitted)
        token = admitted.token_id
        self._of_tokens[token] += 1
        self._open[admitted.use] = use
        self._traffic.opened()
        try:
            if self._of_tokens[token] > admitted.in_flight:
                raise Refusal.of("rate_limited")
            yield use
        finally:
            del self._open[admitted.use]
            self._of_tokens[token] -= 1
            if not self._of_tokens[token]:
                del self._of_tokens[token]
            end = use.end()
            self._ends.append(end)
            self._has_ends.set()
            self._traffic.closed(end)
            if use.ended is not None:
                self._traffic.cut_off(use.ended)
            if use.scrub_hits:
                _LOG.warning("answer_showed_secret", extra={"detail": admitted.use})

    async def recheck_for_ever(self) -> None:
        """Ask about all open uses again and again; the time of an answer is part of the pace."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            rest = self._pace.recheck - (loop.time() - began)
            await asyncio.sleep(max(self._pace.recheck / 4, rest))
            began = loop.time()
            with suppress(Refusal):
                await self.recheck()

    async def recheck(self) -> None:
        """Ask about all open uses, and cut off those that may not go on.

        Raises:
            Refusal: The API does not answer.
        """
        uses = list(self._open)
        for start in range(0, len(uses), _BATCH):
            ended = await self._admissions.ended(uses[start : start + _BATCH])
            for use, code in ended.items():
                if use in self._open:
                    self._open[use].cut_off(code)

    async def report_for_ever(self) -> None:
        """Report ends, a little late, so that many go in one call."""
        while True:
            await self._has_ends.wait()
            await asyncio.sleep(self._pace.report)
            try:
                await self.report()
            except Refusal:
                await asyncio.sleep(_PAUSES * self._pace.report)

    async def report(self) -> None:
        """Report all ends that wait.

        Raises:
            Refusal: The API does not take them; the latest wait on.
        """
        self._has_ends.clear()
        while self._ends:
            batch = [self._ends.popleft() for _ in range(min(_BATCH, len(self._ends)))]
            try:
                await self._admissions.report(batch)
            except Refusal:
                room = _MAX_WAITING - len(self._ends)
                self._ends.extendleft(reversed(batch[-room:] if room else []))
                self._has_ends.set()
                raise
