"""JSON files: one object of strings. A number or a boolean is taken as it is written."""

import json
from typing import NoReturn

from app.client.import_files.entries import THE_FILE, Entry, Fault, Parsed, Place

_NOT_JSON = "is not JSON"
_NOT_AN_OBJECT = "must be one JSON object, of names and values"
_NESTED = "has an object or an array as its value: write it as a string"
_NULL = 'is null: leave it out, or write "" for an empty value'
_WORDS = {True: "true", False: "false"}


class _Object(list[tuple[str, object]]):
    """The members of an object in their order, names that are given twice included."""


class _Number(str):
    """A number as it is written: 1.10 stays 1.10."""

    __slots__ = ()


def parse(text: str) -> Parsed:
    """Yield the entries of one JSON object."""
    try:
        document = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse,
        )
    except json.JSONDecodeError as error:
        yield Fault(Place(error.lineno), _NOT_JSON)
        return
    except (ValueError, RecursionError):
        yield Fault(THE_FILE, _NOT_JSON)
        return
    if not isinstance(document, _Object):
        yield Fault(THE_FILE, _NOT_AN_OBJECT)
        return
    for number, (name, value) in enumerate(document, 1):
        yield _entry(Place(number, "entry"), name, value)


def _entry(place: Place, name: str, value: object) -> Entry | Fault:
    match value:
        case bool():
            return Entry(place, name, _WORDS[value])
        case str():
            return Entry(place, name, str(value))
        case None:
            return Fault(place, _NULL)
        case _:
            return Fault(place, _NESTED)


def _refuse(_: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError
