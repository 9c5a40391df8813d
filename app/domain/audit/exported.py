"""The lines of an export of the audit log, as ``docs/audit.md`` describes them.

An event has the field names of OCSF's API Activity (https://schema.ocsf.io, class 6003) where they
fit, and all of its columns as they are hashed under ``record``. A reader needs the former, and
``verify_audit.py`` the latter.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.audit.actions import Outcome
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.events import AuditEvent
from app.domain.audit.tree import GrowingTree
from app.domain.columns import StoredRow
from app.domain.guarded import Guarded, GuardedField

FORMAT = 1

Line = Mapping[str, Any]

_CLASS, _CATEGORY, _OCSF = 6003, 6, "1.3.0"
_OTHER = 99
_SUCCESS, _FAILURE = 1, 2


def start_line(origin: str, verifier_key: str, tree: GrowingTree) -> Line:
    """The first line: the log, its key, and what stands before the first leaf that follows."""
    return {
        "type": "export",
        "format": FORMAT,
        "origin": origin,
        "verifier_key": verifier_key,
        "size": tree.size,
        "edge": tree.edge.hex(),
    }


def block_line(block: Guarded[AuditBlock]) -> Line:
    """A block; its events follow, one a line."""
    return {"type": "block", **_hashed(block)}


def block_hash_line(leaf: bytes) -> Line:
    """A block that is left out: only its hash."""
    return {"type": "block_hash", "hash": leaf.hex()}


def event_line(event: Guarded[AuditEvent]) -> Line:
    """An event."""
    return {"type": "event", **ocsf(event.unverified), **_hashed(event)}


def event_hash_line(leaf: bytes) -> Line:
    """An event that is left out: only its hash."""
    return {"type": "event_hash", "hash": leaf.hex()}


def head_line(note: str) -> Line:
    """The head over all leaves up to here."""
    return {"type": "head", "note": note}


def end_line(size: int) -> Line:
    """The last line: the leaf with which the next export goes on."""
    return {"type": "end", "size": size}


def ocsf(event: AuditEvent) -> Line:
    """The event in the field names of OCSF."""
    subjects = [subject.partition("@") for subject in event.subjects]
    return {
        "class_uid": _CLASS,
        "category_uid": _CATEGORY,
        "activity_id": _OTHER,
        "activity_name": event.action,
        "type_uid": _CLASS * 100 + _OTHER,
        "severity_id": 1,
        "status_id": _SUCCESS if event.outcome == Outcome.DONE else _FAILURE,
        "time": event.at_ms,
        "metadata": {"uid": event.id, "version": _OCSF, "product": {"name": "Strongroom"}},
        "actor": {"user": {"uid": event.actor, "account": {"uid": event.account_id}}},
        "api": {"operation": event.action, "request": {"uid": event.request_id}},
        "src_endpoint": {"ip": event.address},
        "resources": [{"uid": uid, "version": version or None} for uid, _, version in subjects],
    }


def _hashed(row: Guarded[StoredRow]) -> Mapping[str, Any]:
    columns = {name: _as_json(value) for name, value in row.unverified.columns().items()}
    return {"record": columns, "mac": row.mac.tag.hex()}


def _as_json(value: GuardedField) -> str | int | None:
    return value.hex() if isinstance(value, bytes) else value
