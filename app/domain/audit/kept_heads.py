"""Files of heads that were kept elsewhere: notes one after another, or JSON lines of the log."""

import json
from collections.abc import Iterable, Iterator

from app.domain.audit.checkpoints import MAX_NOTE_BYTES, NotACheckpoint

EVENT = "audit_head"
"""The event of a line of the log with a head; its detail is the note."""

_SIGNATURE = "\N{EM DASH} "


def kept_heads(lines: Iterable[str]) -> Iterator[str]:
    """Yield the notes of such a file. Other lines of the log are skipped.

    Raises:
        NotACheckpoint: Something is longer than any note.
    """
    note = ""
    for line in lines:
        if line.startswith("{"):
            detail = _detail(line)
            if detail is not None:
                yield detail
            continue
        if "\n\n" in note and not line.startswith(_SIGNATURE):
            yield note.lstrip()
            note = ""
        note += line
        if len(note) > MAX_NOTE_BYTES:
            raise NotACheckpoint
    if note.strip():
        yield note.lstrip()


def _detail(line: str) -> str | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("event") != EVENT:
        return None
    return str(said.get("detail"))
