"""Spans of positions in the lanes of an account, as blocks store them.

A lane is a counter of an account's events, so its positions have no holes. A block states one span
for each lane that the account ever had, an empty one for a lane without new events: ``[7, 120,
119]``. So the newest block alone says which event of each lane is the next to be sealed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

_SEPARATORS = (",", ":")


class Span(NamedTuple):
    """Positions ``first`` to ``last`` of one lane; none if ``last`` is ``first - 1``."""

    lane: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"lane {self.lane}, {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of several lanes, in the order of lane and position."""

    all: tuple[Span, ...] = ()

    def __iter__(self) -> Iterator[Span]:
        return iter(self.all)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Self:
        """Put the spans in order."""
        return cls(tuple(sorted(spans)))

    @property
    def ends(self) -> Mapping[int, int]:
        """The last position of each lane."""
        return {span.lane: span.last for span in self.all}

    def to_text(self) -> str:
        """The spans as JSON."""
        return json.dumps(self.all, separators=_SEPARATORS)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse what ``to_text`` returns.

        Raises:
            ValueError: It is something else.
        """
        try:
            spans = cls(tuple(Span(*map(_number, each)) for each in json.loads(text)))
        except (TypeError, RecursionError):
            raise ValueError from None
        if spans.to_text() != text or any(span.last < span.first - 1 for span in spans):
            raise ValueError
        return spans


def gaps_of(span: Span, positions: Iterable[int]) -> Iterator[Span]:
    """Yield the parts of a span without these positions, which are within it and ascend."""
    following = span.first
    for position in positions:
        if position > following:
            yield Span(span.lane, following, position - 1)
        following = position + 1
    if following <= span.last:
        yield Span(span.lane, following, span.last)


def without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of a span that none of these others of its lane covers; they ascend."""
    lane, following, last = span
    for other in others:
        if other.lane != lane or other.last < following:
            continue
        if other.first > last:
            break
        if other.first > following:
            yield Span(lane, following, other.first - 1)
        following = other.last + 1
    if following <= last:
        yield Span(lane, following, last)


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError
    return value
