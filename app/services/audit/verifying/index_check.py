"""Compares the index of subjects with the blocks: an entry too many leads nowhere."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby, takewhile
from operator import itemgetter

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.events import AuditEvent
from app.domain.audit.findings import AuditFindings
from app.repository.base import Repository
from app.repository.collections.batches import Position
from app.services.audit.block_builder import subjects_of
from app.services.audit.verifying.block_check import Chain, Spot

_BATCH = 1000
_BEFORE_ALL = -(2**63)
_SHOWABLE = re.compile("[A-Za-z0-9_:. -]{1,100}")

Entry = tuple[str, str, int]
"""An account, a subject, and the number of a block."""


class IndexCheck:
    """Verifies the index, after the blocks.

    Args:
        chains: The blocks of each account, with how many entries they have.
    """

    def __init__(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        findings: AuditFindings,
        chains: Mapping[str, Chain],
    ) -> None:
        self._repository = repository
        self._opened = opened
        self._findings = findings
        self._chains = chains
        self._last: tuple[str, int, frozenset[str]] = ("", 0, frozenset())

    def check(self) -> None:
        """Count the entries of each account; look at each one where there are too many.

        Entries of blocks that were sealed meanwhile are left out.
        """
        for account_id, entries in groupby(self._entries(None), itemgetter(0)):
            chain = self._chains.get(account_id, Chain())
            if chain.number is None:
                continue  # a block is damaged, which is a fault already
            found, largest = 0, 0
            for _, _, number in entries:
                found += number <= chain.number
                largest = max(largest, number)
            newest = self._repository.audit_log.newest_number(account_id, None) or 0
            if found > chain.indexed or largest > newest:
                self._look_for_strays(account_id, chain.number, newest)

    def _look_for_strays(self, account_id: str, number: int, newest: int) -> None:
        for _, subject, block in takewhile(
            lambda entry: entry[0] == account_id, self._entries((account_id, "", _BEFORE_ALL))
        ):
            is_judged = block <= number or block > newest
            if is_judged and subject not in self._subjects_of(account_id, block):
                shown = subject if _SHOWABLE.fullmatch(subject) else "a text that is no id"
                place = f"account {account_id}, {shown}, block {block}"
                self._findings.fault(f"audit_subjects: {place}: the block has no such event")

    def _subjects_of(self, account_id: str, number: int) -> frozenset[str]:
        """Read the subjects of one block; those of the last one are remembered."""
        if self._last[:2] != (account_id, number):
            subjects = frozenset(self._read_subjects(account_id, number))
            self._last = (account_id, number, subjects)
        return self._last[2]

    def _read_subjects(self, account_id: str, number: int) -> Iterator[str]:
        stored = self._repository.audit_log.block(account_id, number)
        block = None if stored is None else self._opened.verify_stored(stored, account_id)
        if not isinstance(block, AuditBlock):
            return
        spot = Spot(self._repository, self._opened, self._findings, account_id)
        for span in block.positions:
            for each in spot.events(span):
                event = self._opened.verify_stored(each, account_id)
                if isinstance(event, AuditEvent):
                    yield from subjects_of(event)

    def _entries(self, after: Position | None) -> Iterator[Entry]:
        while rows := self._repository.audit_log.indexed(after, _BATCH):
            yield from rows
            after = rows[-1]
