"""Losses of the log that an operator states: by a restore, or by a fail-over that lost commits."""

from contextlib import suppress
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.audit.checkpoints import Checkpoint, NotACheckpoint
from app.domain.errors import InvalidRequest
from app.repository.base import Database, Repository
from app.services.audit.log_end import verified_tree
from app.services.audit.trail import AuditTrail
from app.services.audit.verifying.loss_records import lost_head_details
from app.services.keys.system_key import SystemKey


@dataclass(eq=False, repr=False)
class AuditLosses:
    """Records which part of the log was lost, so that its heads are explained."""

    _database: Database
    _system_key: SystemKey
    _trail: AuditTrail

    def accept(self, note: str) -> Checkpoint:
        """Record that the log of this head is lost, and return what it said.

        Args:
            note: The newest head of the log that was lost.

        Raises:
            InvalidRequest: This deployment did not sign it, or the log still has it.
        """
        opened = self._system_key.opened()
        try:
            lost = opened.head_signer.verifier.verify(note)
        except NotACheckpoint:
            raise InvalidRequest("--head: this deployment did not sign it.") from None
        with self._database.reading() as repository:
            if _has(repository, opened, lost):
                raise InvalidRequest("--head: nothing is lost, the log still has it.")
            kept_size = _size_before(repository, opened, lost)
        details = lost_head_details(lost, kept_size)
        with self._database.writing() as work:
            self._trail.commit(work, opened, Action.AUDIT_LOSS_ACCEPTED, details=details)
        return lost

    def accept_restore(self, note: str) -> None:
        """Record the newest head of the database that a backup replaces, if that lacks it."""
        with suppress(InvalidRequest):  # of another deployment, or nothing is lost
            self.accept(note)


def _has(repository: Repository, opened: OpenedSystemKey, lost: Checkpoint) -> bool:
    head = repository.audit_log.head(lost.size)
    return head is not None and verified_tree(opened, head) is not None and head.root == lost.root


def _size_before(repository: Repository, opened: OpenedSystemKey, lost: Checkpoint) -> int:
    """Return the size with which the log went on: that of the newest head before the lost one."""
    head = repository.audit_log.newest_head(lost.size)
    while head is not None and (head.at_ms > lost.at_ms or verified_tree(opened, head) is None):
        head = repository.audit_log.newest_head(head.size)
    return 0 if head is None else head.size
