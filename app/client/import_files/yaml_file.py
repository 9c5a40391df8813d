"""YAML files: one flat mapping, read from events, so that nothing is constructed or expanded.

Every plain scalar is taken as it is written. So ``NO`` stays ``NO``, ``0123`` keeps its zero and
``1.10`` its digits. Anchors, aliases and tags are refused: no alias is ever followed.
"""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    StreamEndEvent,
)

from app.client.import_files.entries import THE_FILE, Entry, Fault, Parsed, Place

_NOT_YAML = "is not YAML"
_NOT_A_MAPPING = "must be one YAML mapping, of names and values"
_SEVERAL = "begins a second document"
_TOO_DEEP = "is nested too deeply"
_NESTED = "has a mapping or a list as its value: write it as a string"
_NO_TEXT = "has a name that is no plain text"
_NULL = 'has no value: leave the name out, or write "" for an empty one'
_REFERENCE = "has an anchor or an alias: write the value out"
_TAG = "has a tag: write the value as a string"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_MAX_DEPTH = 16  # PyYAML without libyaml takes quadratic time in the depth

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Stop(Exception):
    """The rest of the file cannot be read, because of ``fault``."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


def parse(text: str, loader: Any = _LOADER) -> Parsed:  # noqa: ANN401 - PyYAML's or libyaml's
    """Yield the entries of one YAML mapping."""
    try:
        yield from _document(_events(text, loader))
    except _Stop as stop:
        yield stop.fault


def _events(text: str, loader: Any) -> Iterator[Event]:  # noqa: ANN401
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = THE_FILE if mark is None else Place(mark.line + 1)
        raise _Stop(Fault(place, _NOT_YAML)) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # a character that there is not
        raise _Stop(Fault(THE_FILE, _NOT_YAML)) from None


def _document(events: Iterator[Event]) -> Parsed:
    next(events)  # the stream's start
    if isinstance(next(events), StreamEndEvent):
        return
    if not isinstance(next(events), MappingStartEvent):
        raise _Stop(Fault(THE_FILE, _NOT_A_MAPPING))
    while not isinstance(key := next(events), MappingEndEvent):
        _pass_over(key, events)
        value = next(events)
        _pass_over(value, events)
        yield _entry(key, value)
    next(events)  # the document's end
    after = next(events)
    if not isinstance(after, StreamEndEvent):
        yield Fault(_place(after), _SEVERAL)


def _pass_over(event: Event, events: Iterator[Event]) -> None:
    """Read to the end of a collection, if the event begins one."""
    depth = int(isinstance(event, CollectionStartEvent))
    while depth:
        inner = next(events)
        depth += isinstance(inner, CollectionStartEvent) - isinstance(inner, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _Stop(Fault(_place(inner), _TOO_DEEP))


def _entry(key: Event, value: Event) -> Entry | Fault:
    place, name, text = _place(key), _scalar(key, _NO_TEXT), _scalar(value, _NESTED)
    if isinstance(name, str):
        return Fault(place, name)
    if isinstance(text, str):
        return Fault(place, text)
    is_plain = text.tag is None and text.implicit[0]
    if is_plain and text.value in _NULLS:
        return Fault(place, _NULL)
    return Entry(place, name.value, text.value)


def _scalar(event: Event, other: str) -> ScalarEvent | str:
    """Return a scalar, or the rule that the event breaks: ``other`` for what is no scalar."""
    if isinstance(event, NodeEvent) and event.anchor is not None:  # an alias has one, too
        return _REFERENCE
    if not isinstance(event, ScalarEvent):
        return other
    return event if event.tag in _TEXT_TAGS else _TAG


def _place(event: Event) -> Place:
    mark = event.start_mark
    return THE_FILE if mark is None else Place(mark.line + 1)
