"""The notes that both databases of a move keep of it, in the table ``moves``."""

from dataclasses import dataclass, replace

import orjson
from sqlalchemy import bindparam, column, delete, insert, select, table, update

from app.domain.errors import MoveRefused
from app.domain.operations.moves import MoveState
from app.repository.moving.copied_tables import Key
from app.repository.moving.sides import Change, Side


@dataclass(frozen=True, slots=True)
class Position:
    """The last row that was copied.

    Attributes:
        table: The name of its table.
        key: Its primary key.
    """

    table: str
    key: Key


@dataclass(frozen=True, slots=True)
class Note:
    """A database's note of a move.

    Attributes:
        id: Of the move, the same in both databases.
        deployment_id: Of the deployment that moves.
        position: In a target, ``None`` before the first row.
    """

    id: str
    deployment_id: str
    state: MoveState
    position: Position | None = None

    def as_(self, state: MoveState) -> "Note":
        """Return the note with another state."""
        return replace(self, state=state)


_MOVES = table("moves", *map(column, ("only", "id", "deployment_id", "state", "position")))
_GET = select(_MOVES.c.id, _MOVES.c.deployment_id, _MOVES.c.state, _MOVES.c.position)
_FORGET = delete(_MOVES)
_ADD = insert(_MOVES)
_CHANGE = (
    update(_MOVES)
    .where(_MOVES.c.id == bindparam("of_id"), _MOVES.c.state == bindparam("of_state"))
    .values(state=bindparam("new_state"), position=bindparam("new_position"))
)


def read_note(side: Side) -> Note | None:
    """Return the note of a database, ``None`` where it has none."""
    rows = side.read(_GET)
    if not rows:
        return None
    move_id, deployment_id, state, position = rows[0]
    return Note(move_id, deployment_id, MoveState(state), _load(position))


def write_note(change: Change, note: Note) -> None:
    """Store a note in place of another."""
    change.write(_FORGET, {})
    change.write(_ADD, {"only": 1, **_columns(note)})


def change_note(change: Change, before: Note, after: Note) -> bool:
    """Replace state and position of a note. Returns False if its state is not as before."""
    parameters = {
        "of_id": before.id,
        "of_state": before.state.value,
        "new_state": after.state.value,
        "new_position": _dump(after.position),
    }
    return change.write(_CHANGE, parameters) == 1


def given_up() -> MoveRefused:
    """Return the refusal of a target that never will be opened."""
    return MoveRefused(
        "The source was opened again, or is about to be: run it with --reopen, or name another, "
        "empty target."
    )


def forget_note(change: Change) -> None:
    """Delete the note."""
    change.write(_FORGET, {})


def _columns(note: Note) -> dict[str, object]:
    return {
        "id": note.id,
        "deployment_id": note.deployment_id,
        "state": note.state.value,
        "position": _dump(note.position),
    }


def _dump(position: Position | None) -> str:
    """Encode a position; a part of a key that is no text is stored as an array of its bytes."""
    if position is None:
        return ""
    key = [[*part] if isinstance(part, bytes) else part for part in position.key]
    return orjson.dumps([position.table, key]).decode()


def _load(text: str) -> Position | None:
    if not text:
        return None
    name, key = orjson.loads(text)
    return Position(name, tuple(bytes(part) if isinstance(part, list) else part for part in key))
