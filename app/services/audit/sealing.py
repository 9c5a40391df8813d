"""The sealer: puts events that were committed into blocks, and blocks under a signed head.

Any process may seal at any time, and there is no leader: the number of a block, its leaf and the
size of a head are unique, so one of two that seal the same is refused and looks again. Hashes are
computed before the transaction, which only inserts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.heads import AuditHead
from app.repository.base import Conflict, Database, Repository
from app.services.audit.block_builder import (
    BlockBuilder,
    BuiltBlock,
    find_account_end,
)
from app.services.audit.log_end import LogEnd, alert, find_end, leaf_of
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey

_ACCOUNTS = 500  # at once
_EVENTS = 4096  # in one transaction, about
_ROWS = 4000
_REMEMBERED = 100_000  # accounts
_TRIES = 100


@dataclass(slots=True)
class _Draft:
    """Blocks that one transaction inserts, with their head.

    Attributes:
        accounts: The number of positions that are sealed then, by account.
        after: The last account that was looked at.
    """

    end: LogEnd
    at_ms: int
    after: str | None
    blocks: list[BuiltBlock] = field(default_factory=list)
    accounts: dict[str, int] = field(default_factory=dict)
    events: int = 0
    rows: int = 0
    is_last: bool = True

    @property
    def is_full(self) -> bool:
        is_barred = self.end.limit is not None and self.end.tree.size >= self.end.limit
        return is_barred or self.events >= _EVENTS or self.rows >= _ROWS

    def add(self, built: BuiltBlock) -> None:
        self.blocks.append(built)
        self.end.tree.append(leaf_of(built.block))
        self.events += built.events
        self.rows += 1 + len(built.subjects)

    def head(self, opened: OpenedSystemKey) -> AuditHead:
        tree = self.end.tree
        note = opened.head_signer.sign(tree.size, tree.root, self.at_ms)
        return AuditHead(tree.size, tree.root, tree.edge, self.at_ms, note)


class Sealer:
    """Seals the events of all accounts."""

    def __init__(
        self, database: Database, system_key: SystemKey, clock: Clock, trail: AuditTrail
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock
        self._trail = trail
        self._sealed: dict[str, int] = {}

    def seal(self, carry_below: int = 0) -> int:
        """Seal what was committed before the call. Returns the number of blocks that it inserted.

        Args:
            carry_below: Leaves below this one are cut soon, so each account gets a block behind.

        Raises:
            StorageUnavailable: The database is busy or down; what was inserted stays.
        """
        opened, inserted, after, refused = self._system_key.opened(), 0, None, 0
        while refused < _TRIES:
            with self._database.reading() as repository:
                draft = self._draft(repository, opened, after, carry_below)
            try:
                self._insert(draft, opened)
            except Conflict:  # another process sealed, so look again
                refused += 1
                if refused == _TRIES:
                    alert("audit_stuck", "blocks or heads that nobody sealed are in the way")
                continue
            inserted += len(draft.blocks)
            after = draft.after
            if draft.is_last:
                break
        return inserted

    def _draft(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        after: str | None,
        carry_below: int,
    ) -> _Draft:
        end = find_end(repository, opened)
        draft = _Draft(end, max(self._clock(), end.at_ms + 1), after)
        known = {} if carry_below else self._sealed
        for account_id in _changed(repository, after, known):
            self._seal_account(repository, opened, account_id, draft, carry_below)
            if draft.is_full:
                draft.is_last = False
                break
            draft.after = account_id
        return draft

    def _seal_account(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        account_id: str,
        draft: _Draft,
        carry_below: int,
    ) -> None:
        end = find_account_end(repository, opened, account_id)
        counts = {each.lane: each.n for each in repository.audit_events.counts(account_id)}
        while not draft.is_full:
            builder = BlockBuilder(repository, opened, end, counts)
            built = builder.build(
                draft.end.tree.size, draft.at_ms, carry=0 <= end.place < carry_below
            )
            if built is None:
                break
            draft.add(built)
        draft.accounts[account_id] = end.total

    def _insert(self, draft: _Draft, opened: OpenedSystemKey) -> None:
        if draft.blocks:
            head = draft.head(opened)
            with self._database.writing() as work:
                for block, subjects, _ in draft.blocks:
                    work.audit_log.add_block(block)
                    number = block.unverified.number
                    work.audit_log.index(block.unverified.account_id, number, subjects)
                work.audit_log.add_head(head)
                self._trail.commit_unrecorded(work, Unrecorded.SEALING)
        if len(self._sealed) > _REMEMBERED:
            self._sealed.clear()
        self._sealed.update(draft.accounts)


def _changed(repository: Repository, after: str | None, known: Mapping[str, int]) -> Iterator[str]:
    """Yield the accounts behind ``after`` whose counters differ from what is known to be sealed."""
    while totals := repository.audit_log.totals(after, _ACCOUNTS):
        for account_id, total in totals:
            if known.get(account_id) != total:
                yield account_id
        after = totals[-1][0]
