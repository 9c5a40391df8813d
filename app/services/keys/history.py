"""The history of the keyring: which root keys wrapped what, since when, and who did it.

It is read from the operator's audit records. A command that works in batches leaves a record for
each of them; what belongs together is shown as one step.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.damage import DamagedRow
from app.services.audit.event_list import AuditEventList

_ONE_RUN_MS = 10 * 60 * 1000
"""Records of one actor that are closer than this belong to one run of a command."""

_ACTIONS = (
    Action.KEYRING_REWRAPPED,
    Action.KEYRING_RECOVERED,
    Action.KEYRING_FENCED,
    Action.KEYRING_UNFENCED,
    Action.KEYRING_RETIRED,
    Action.REENCRYPTION_STARTED,
    Action.REENCRYPTION_ENDED,
)


@dataclass(frozen=True, slots=True)
class KeyringStep:
    """One run of a command on the keyring.

    Attributes:
        began_at_ms: Of its first record, in Unix milliseconds.
        ended_at_ms: Of its last record.
        action: The word of the records.
        actor: Who ran it.
        count: The new wrappings, or those that were deleted; 0 where nothing is counted.
        to: The root keys that new wrappings are by, or that a fence or a retirement is about.
        replaced: The root keys whose older wrappings were replaced.
    """

    began_at_ms: int
    ended_at_ms: int
    action: str
    actor: str
    count: int
    to: tuple[str, ...]
    replaced: tuple[str, ...]


@dataclass(eq=False, repr=False)
class KeyringHistory:
    """Lists what was done about root keys."""

    _events: AuditEventList

    def steps(self) -> Iterator[KeyringStep | DamagedRow]:
        """Yield the steps, newest first; a damaged record as such."""
        wanted = [EventFilter(action=action.value) for action in _ACTIONS]
        return _joined(self._events.all(SYSTEM_ACCOUNT_ID, wanted))


def _joined(events: Iterable[AuditEvent | DamagedRow]) -> Iterator[KeyringStep | DamagedRow]:
    """Join the records of one run, which come newest first."""
    open_step: KeyringStep | None = None
    for each in events:
        if isinstance(each, DamagedRow):
            yield each
            continue
        step = _step(each)
        if open_step is not None and _is_one_run(step, open_step):
            open_step = _with(open_step, step)
            continue
        if open_step is not None:
            yield open_step
        open_step = step
    if open_step is not None:
        yield open_step


def _step(event: AuditEvent) -> KeyringStep:
    details = json.loads(event.details) if event.details else {}
    made = Counter(details.get("to", {}))
    root_keys = details.get("root_keys", ())
    return KeyringStep(
        began_at_ms=event.at_ms,
        ended_at_ms=event.at_ms,
        action=event.action,
        actor=event.actor,
        count=made.total() or details.get("wrappings", 0),
        to=tuple(sorted({*made, *root_keys})),
        replaced=tuple(sorted(details.get("replaced", {}))),
    )


def _is_one_run(earlier: KeyringStep, later: KeyringStep) -> bool:
    is_same = (earlier.action, earlier.actor) == (later.action, later.actor)
    return is_same and later.began_at_ms - earlier.ended_at_ms < _ONE_RUN_MS


def _with(later: KeyringStep, earlier: KeyringStep) -> KeyringStep:
    return replace(
        later,
        began_at_ms=earlier.began_at_ms,
        count=later.count + earlier.count,
        to=tuple(sorted({*later.to, *earlier.to})),
        replaced=tuple(sorted({*later.replaced, *earlier.replaced})),
    )
