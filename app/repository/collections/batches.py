"""Batches of rows, in the order that a list or a sweep reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.domain.damage import DamagedRow
from app.domain.guarded import Guardable, Guarded

R = TypeVar("R", bound=Guardable, covariant=True)  # noqa: PLC0105 - as in app.domain.guarded

Stored = Guarded[R] | DamagedRow
"""A row of a list. One that cannot be parsed does not hide the others."""

Position = tuple[Any, ...]
"""The stored columns by which rows are ordered, of the last row of a batch; never shown."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """A part of a list.

    Attributes:
        after: The position before the next batch; ``None`` if no row follows.
    """

    rows: Sequence[Stored[R]]
    after: Position | None
