"""Copies rows in batches, and compares the rows of two databases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from app.domain.columns import Row
from app.domain.damage import DamagedRow
from app.domain.errors import RowsDamaged, RowsDiffer
from app.repository.moving.copied_tables import TABLES, CopiedTable, Key
from app.repository.moving.notes import Note, Position, change_note, given_up
from app.repository.moving.sides import Change, RowsRefused, Side

Done = Callable[[int], None]
"""Called with the number of rows of each batch."""


class Copying:
    """Copies the rows of one move.

    Args:
        source: Closed.
        target: Receives.
        note: Of the target.
        skip_damaged: Leave damaged rows, and those that refer to them.
    """

    def __init__(self, source: Side, target: Side, note: Note, *, skip_damaged: bool) -> None:
        self._source = source
        self._target = target
        self._note = note
        self._skip_damaged = skip_damaged

    def run(self, done: Done) -> None:
        """Copy all rows after the position of the target.

        Raises:
            RowsDamaged: A row of the source cannot be copied.
            RowsDiffer: The target holds another row in the place of one.
        """
        begun = self._note.position
        names = [each.name for each in TABLES]
        first = 0 if begun is None else names.index(begun.table)
        for of in TABLES[first:]:
            after = begun.key if begun is not None and begun.table == of.name else None
            for batch in of.batches(self._source, after):
                self._copy(of, after, batch)
                after = of.key(batch[-1])
                done(len(batch))

    def verify(self, done: Done) -> list[DamagedRow]:
        """Compare both databases. Returns the damaged rows that the target lacks.

        Raises:
            RowsDamaged: There are some, and they may not be left.
            RowsDiffer: The databases differ in another row.
        """
        damaged: list[DamagedRow] = []
        for of in TABLES:
            for batch, stored in compared(of, self._source, self._target):
                if batch != stored:
                    damaged += self._lacking(of, batch, stored)
                done(len(batch))
        if damaged and not self._skip_damaged:
            raise RowsDamaged(damaged)
        return damaged

    def _copy(self, of: CopiedTable, after: Key | None, batch: Sequence[Row]) -> None:
        sound = all(map(of.is_sound, batch))
        write = partial(self._write, of, after, of.key(batch[-1]))
        try:
            if sound:
                self._target.change(partial(write, batch))
                return
        except RowsRefused:
            pass
        fitting = [row for row in batch if self._fits(of, row)]
        if not self._skip_damaged:
            raise RowsDamaged([of.name_row(row) for row in batch if row not in fitting])
        self._target.change(partial(write, fitting))

    def _write(
        self, of: CopiedTable, after: Key | None, until: Key, rows: Sequence[Row], change: Change
    ) -> None:
        """Write a batch, and the position after it. Rows that are there already are compared."""
        if rows:
            change.write_all(of.insert, of.parameters(rows))
        stored = of.between(change, after, until)
        if stored != rows:
            lacking = {of.key(row) for row in rows} - {of.key(row) for row in stored}
            if lacking:
                raise RowsRefused  # it has the unique columns of another one
            raise RowsDiffer(differing(of, rows, stored))
        moved_on = replace(self._note, position=Position(of.name, until))
        if not change_note(change, self._note, moved_on):
            raise given_up()

    def _lacking(
        self, of: CopiedTable, batch: Sequence[Row], stored: Sequence[Row]
    ) -> list[DamagedRow]:
        """Return the damaged rows of a batch that the target lacks; refuse other differences."""
        found = {of.key(row) for row in stored}
        lacking = [row for row in batch if of.key(row) not in found]
        others = [row for row in batch if of.key(row) in found]
        wrong = differing(of, others, stored)
        wrong += [of.name_row(row) for row in lacking if self._fits(of, row)]
        if wrong:
            raise RowsDiffer(wrong)
        return [of.name_row(row) for row in lacking]

    def _fits(self, of: CopiedTable, row: Row) -> bool:
        """Return True if the target can hold a row, beside those that it has."""
        if not of.is_sound(row):
            return False
        try:
            self._target.change(partial(_try, of, row))
        except _Undone as undone:
            return undone.fits
        except RowsRefused:
            return False
        raise AssertionError("a trial always ends with an exception")


class _Undone(Exception):
    """Ends the trial of a row, so that nothing of it stays."""

    def __init__(self, *, fits: bool) -> None:
        super().__init__()
        self.fits = fits


def _try(of: CopiedTable, row: Row, change: Change) -> None:
    change.write_all(of.insert, of.parameters([row]))
    raise _Undone(fits=bool(of.with_key(change, of.key(row))))


def compared(of: CopiedTable, source: Side, target: Side) -> Iterator[tuple[list[Row], list[Row]]]:
    """Yield the rows of both databases in batches of the source; they differ as the batches do."""
    after: Key | None = None
    for batch in of.batches(source, None):
        until = of.key(batch[-1])
        yield batch, target.look(partial(of.between, after=after, until=until))
        after = until
    while rest := of.rows(target, after):
        yield [], rest
        after = of.key(rest[-1])


def differing(of: CopiedTable, rows: Sequence[Row], stored: Sequence[Row]) -> list[DamagedRow]:
    """Name the rows that are in one of two lists, or not the same in both."""
    ours, theirs = ({of.key(row): row for row in each} for each in (rows, stored))
    return [
        of.name_row(row)
        for key, row in {**theirs, **ours}.items()
        if ours.get(key) != theirs.get(key)
    ]
