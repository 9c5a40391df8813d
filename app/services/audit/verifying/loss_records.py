"""The records by which an operator explains a log that is shorter than a head says.

A restore, and a fail-over that lost commits, look like an attack. So each is recorded with the
newest head of what was lost, and with the size at which the log went on.
"""

import json
from dataclasses import dataclass, field

from app.domain.audit.actions import Action
from app.domain.audit.checkpoints import Checkpoint
from app.domain.audit.events import AuditEvent

_LOST, _SIZE, _ROOT, _KEPT = "lost_head", "size", "root", "kept_size"


def lost_head_details(lost: Checkpoint, kept_size: int) -> dict[str, object]:
    """Return the details of a record that names a lost head.

    Args:
        kept_size: The size of the log that remained.
    """
    return {_LOST: {_SIZE: lost.size, _ROOT: lost.root.hex()}, _KEPT: kept_size}


@dataclass(frozen=True, slots=True)
class _Loss:
    id: str
    at_ms: int
    lost_size: int
    kept_size: int


@dataclass(slots=True)
class LossRecords:
    """The losses that the log states."""

    _losses: list[_Loss] = field(default_factory=list)

    def add(self, event: AuditEvent) -> None:
        """Remember an event if it names a lost head."""
        if event.action != Action.AUDIT_LOSS_ACCEPTED or event.details is None:
            return
        try:
            details = json.loads(event.details)
            lost, kept = details[_LOST][_SIZE], details[_KEPT]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(lost, int) and isinstance(kept, int):
            self._losses.append(_Loss(event.id, event.at_ms, lost, kept))

    def explain(self, head: Checkpoint) -> str | None:
        """Return the id of the record that says that this head was lost, or ``None``.

        A head that was signed after the record is of the log that went on, and must be right.
        """
        for loss in self._losses:
            is_of_lost = loss.kept_size < head.size <= loss.lost_size
            if is_of_lost and head.at_ms <= loss.at_ms:
                return loss.id
        return None
