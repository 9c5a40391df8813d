"""The steps of a move, in the order in which both databases note them."""

import time
from functools import partial

from sqlalchemy import column, func, insert, select, table

from app.domain.columns import Row
from app.domain.damage import DamagedRow
from app.domain.errors import MoveRefused, NotInitialised, RowsDiffer
from app.domain.ids import MOVE, new_id
from app.domain.operations.moves import MoveState
from app.repository.moving.closing import closing_statements, opening_statements
from app.repository.moving.copied_tables import TABLES
from app.repository.moving.copying import Copying, Done, compared
from app.repository.moving.notes import (
    Note,
    change_note,
    forget_note,
    given_up,
    read_note,
    write_note,
)
from app.repository.moving.sides import Change, Locked, Side
from app.repository.sql.tables import deployment

PATIENCE_S = 60.0
"""Limit of the wait for transactions in progress, when a database is closed."""

NOTICE_S = 6.0
"""Seconds in which each worker notices that its database was closed; it looks every 2 s."""

_PAUSE_S = 0.2

_DEPLOYMENT = table("deployment", *(column(each.name) for each in deployment.columns))
_GET_DEPLOYMENT = select(*_DEPLOYMENT.c)
_GET_ID = select(_DEPLOYMENT.c.id)
_ADD_DEPLOYMENT = insert(_DEPLOYMENT)
_WORKERS = table("workers", column("seen_at_ms"))
# One that ended by itself has deleted its row.
_LIVE = select(func.count()).select_from(_WORKERS)


class Move:
    """One move, begun or gone on with.

    Args:
        source: The database that a deployment moves from.
        target: The one that it moves to.
        skip_damaged: Leave damaged rows, and those that refer to them.
    """

    def __init__(self, source: Side, target: Side, *, skip_damaged: bool) -> None:
        self._source = source
        self._target = target
        self._note, self.is_finished = _begin(source, target)
        self._closed_at = time.monotonic()
        self._copying = Copying(source, target, self._note, skip_damaged=skip_damaged)

    def count(self) -> tuple[int, int]:
        """Count the rows of the target, and of the source."""
        return _count(self._target), _count(self._source)

    def copy(self, done: Done) -> None:
        """Copy the rows that the target lacks."""
        self._copying.run(done)

    def verify(self, done: Done) -> list[DamagedRow]:
        """Compare both databases. Returns the damaged rows that the target lacks."""
        return self._copying.verify(done)

    def finish(self) -> None:
        """Open the target, once no worker serves what is in the source."""
        ((live,),) = self._source.read(_LIVE)
        if live:
            time.sleep(max(self._closed_at + NOTICE_S - time.monotonic(), 0))
        (row,) = self._source.read(_GET_DEPLOYMENT)
        self._target.change(partial(_open_target, self._note, row))


def reopen(source: Side, target: Side) -> None:
    """Open the source again, if nothing was written to the target, which never opens then.

    Raises:
        MoveRefused: The source is not closed, or for another target; or the target served.
    """
    ours, theirs = read_note(source), read_note(target)
    if ours is None or ours.state is not MoveState.CLOSED:
        raise MoveRefused(f"{source.option}: this database is not closed.")
    if theirs is None or theirs.id != ours.id:
        raise MoveRefused(_OTHER_TARGET.format(source.option))
    if theirs.state is MoveState.RECEIVING:
        given = theirs.as_(MoveState.GIVEN_UP)
        if not target.change(lambda change: change_note(change, theirs, given)):
            raise given_up()
    elif theirs.state is MoveState.RECEIVED:
        _close(target, theirs.as_(MoveState.GIVEN_UP))
    if target.read(_GET_DEPLOYMENT):
        _require_unused(source, target, theirs)
    source.change(lambda change: _open(change, source, None))


def _begin(source: Side, target: Side) -> tuple[Note, bool]:
    """Close the source for this target. Returns the target's note, and True if all was done."""
    deployment_id = _deployment_id(source)
    ours, theirs = read_note(source), read_note(target)
    if ours is not None and ours.state is MoveState.CLOSED:
        if theirs is None or theirs.id != ours.id:
            raise MoveRefused(_OTHER_TARGET.format(source.option))
        if theirs.state is MoveState.GIVEN_UP:
            raise given_up()
        return theirs, theirs.state is MoveState.RECEIVED
    if theirs is None:
        _require_empty(target)
        theirs = Note(new_id(MOVE), deployment_id, MoveState.RECEIVING)
        target.change(partial(write_note, note=theirs))
    elif (
        theirs.state is not MoveState.RECEIVING
        or theirs.position
        or (theirs.deployment_id != deployment_id)
    ):
        raise MoveRefused(_NOT_EMPTY.format(target.option))
    _close(source, theirs.as_(MoveState.CLOSED))
    return theirs, False


def _deployment_id(source: Side) -> str:
    rows = source.read(_GET_ID)
    if not rows:
        raise NotInitialised
    return str(rows[0][0])


def _require_empty(target: Side) -> None:
    if target.read(_GET_DEPLOYMENT) or any(each.rows(target, None) for each in TABLES):
        raise MoveRefused(_NOT_EMPTY.format(target.option))


def _close(side: Side, note: Note) -> None:
    """Refuse all writes to a database from now on, and note why.

    Raises:
        Locked: Transactions in progress did not end in time.
    """
    end = time.monotonic() + PATIENCE_S
    while not _try_to_close(side, note, is_last=time.monotonic() > end):
        time.sleep(_PAUSE_S)


def _try_to_close(side: Side, note: Note, *, is_last: bool) -> bool:
    def work(change: Change) -> None:
        for statement in closing_statements(is_server=side.is_server):
            change.run(statement)
        write_note(change, note)

    try:
        side.change(work)
    except Locked:
        if is_last:
            raise
        return False
    return True


def _open(change: Change, side: Side, note: Note | None) -> None:
    for statement in opening_statements(is_server=side.is_server):
        change.run(statement)
    if note is None:
        forget_note(change)
    else:
        write_note(change, note)


def _open_target(note: Note, row: Row, change: Change) -> None:
    names = [each.name for each in deployment.columns]
    if not change_note(change, note, note.as_(MoveState.RECEIVED)):
        raise given_up()
    change.write(_ADD_DEPLOYMENT, dict(zip(names, row, strict=True)))
    if change.rows(_GET_DEPLOYMENT, {}) != [row]:
        raise RowsDiffer([DamagedRow.at("deployment", None, note.deployment_id)])


def _require_unused(source: Side, target: Side, theirs: Note) -> None:
    """Refuse a target to which something was written, and open it again."""
    is_same = source.read(_GET_DEPLOYMENT) == target.read(_GET_DEPLOYMENT) and all(
        batch == stored for of in TABLES for batch, stored in compared(of, source, target)
    )
    if not is_same:
        received = theirs.as_(MoveState.RECEIVED)
        target.change(lambda change: _open(change, target, received))
        raise MoveRefused(
            f"{target.option}: this database has served. To move on, copy it to another."
        )


def _count(side: Side) -> int:
    return sum(each.count(side) for each in TABLES)


_OTHER_TARGET = "{}: this database was closed for another target; name that one."
_NOT_EMPTY = "{}: this database is not empty; name an empty one, or the one of the unfinished copy."
