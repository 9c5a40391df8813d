"""Verifies what no block proves yet: counters of lanes, events behind the last block, strays."""

from collections.abc import Mapping

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.findings import AuditFindings
from app.domain.audit.spans import Span, gaps_of
from app.repository.base import Repository
from app.repository.collections.audit import LaneCount
from app.repository.collections.batches import Position
from app.services.audit.verifying.block_check import Chain, Seen, Spot

_BATCH = 500


class LaneCheck:
    """Verifies the lanes of all accounts, after their blocks.

    Args:
        chains: The blocks of each account.
    """

    def __init__(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        findings: AuditFindings,
        seen: Seen,
        chains: Mapping[str, Chain],
    ) -> None:
        self._repository = repository
        self._opened = opened
        self._findings = findings
        self._seen = seen
        self._chains = chains

    def check(self) -> None:
        """Verify every counter, and look for events outside of all lanes."""
        self._check_events()
        self._check_counts()

    def _check_events(self) -> None:
        """Compare the positions that events have with those that lanes and blocks allow.

        A counter is read after the events, and is never lower than what was committed then.
        """
        after: tuple[str, int] | None = None
        while (found := self._repository.audit_log.next_lane(after)) is not None:
            account_id, span = found
            after = (account_id, span.lane)
            counts = {each.lane: each.n for each in self._counts_of(account_id)}
            place = f"audit_events: account {account_id}, lane {span.lane}"
            chain = self._chains.get(account_id, Chain())
            first = chain.firsts.get(span.lane, 1)
            if span.first < first:
                text = f"{place}, position {span.first}: it was cut, or never recorded"
                self._findings.fault(text)
            if span.lane not in counts:
                self._findings.fault(f"{place}: it has events and no counter")
            elif span.last > counts[span.lane]:
                text = f"position {span.last} is above its counter, {counts[span.lane]}"
                self._findings.fault(f"{place}: {text}")

    def _counts_of(self, account_id: str) -> list[LaneCount]:
        return self._repository.audit_events.counts(account_id)

    def _check_counts(self) -> None:
        """Compare each counter with what is sealed, and verify the events behind that."""
        seen: set[tuple[str, int]] = set()
        after: Position | None = None
        while counts := self._repository.audit_events.all_counts(after, _BATCH):
            for each in counts:
                self._check_count(each)
                seen.add((each.account_id, each.lane))
            after = (counts[-1].account_id, counts[-1].lane)
        for account_id, chain in self._chains.items():
            for lane in sorted((chain.ends or {}).keys()):
                if (account_id, lane) not in seen:
                    place = f"account {account_id}, lane {lane}"
                    self._findings.fault(f"audit_lanes: {place}: its counter is gone")

    def _check_count(self, count: LaneCount) -> None:
        place = f"audit_lanes: account {count.account_id}, lane {count.lane}"
        chain = self._chains.get(count.account_id, Chain())
        if count.n < 1:
            self._findings.fault(f"{place}: it counts no event, which no commit leaves behind")
            return
        if chain.ends is None:
            return  # the newest block is damaged, which is a fault already
        sealed = chain.ends.get(count.lane, 0)
        if count.n < sealed:
            self._findings.fault(f"{place}: it counts {count.n} events, and {sealed} are sealed")
        elif count.n > sealed:
            self._check_tail(count.account_id, Span(count.lane, sealed + 1, count.n))

    def _check_tail(self, account_id: str, span: Span) -> None:
        """Verify the events that no block seals yet."""
        spot = Spot(self._repository, self._opened, self._findings, account_id)
        positions = []
        for stored in spot.events(span):
            self._findings.events += 1
            event = spot.verified(stored)
            if event is not None:
                positions.append(event.n)
                self._seen(event)
        for gap in gaps_of(span, positions):
            where = f"account {account_id}, {gap}"
            self._findings.fault(f"audit_events: {where}: they are gone, or not as recorded")
