"""Log lines for people: the fields of the JSON lines, without the braces.

A text that a client or a file name brought in could hold control characters. Printed as they are,
they would forge further lines or move the cursor of the terminal. So everything that is not
printable is escaped, and no line holds a line end.
"""

import json
from collections.abc import Mapping

_FIRST = ("timestamp", "level", "event")
_LAST = ("logger", "pid")
_BARE = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:<>@+,*%"
)  # texts of these need no quotes
_JSON = json.JSONEncoder(ensure_ascii=False, default=lambda other: type(other).__name__)
_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_DIM = "2"


def text_line(fields: Mapping[str, object], *, colour: bool) -> str:
    """Format the fields of one line: time, level and event, then ``name=value`` for the others.

    Logger and process come last. A value is bare if nothing in it needs quotes, and JSON otherwise.

    Args:
        fields: At least timestamp, level and event.
        colour: Adds control sequences for the colours of a terminal.
    """
    level, event = str(fields["level"]), _printable(str(fields["event"]))
    names = [name for name in fields if name not in _FIRST + _LAST] + [*_LAST]
    others = " ".join(f"{name}={_value(fields[name])}" for name in names if name in fields)
    start = str(fields["timestamp"])
    if not colour:
        return f"{start} {level:<7} {event}  {others}"
    shown = _coloured(f"{level:<7}", _COLOURS.get(level, ""))
    return f"{_coloured(start, _DIM)} {shown} {event}  {_coloured(others, _DIM)}"


def _value(value: object) -> str:
    if isinstance(value, str) and value and _BARE.issuperset(value):
        return value
    return _printable(_JSON.encode(value))


def _printable(text: str) -> str:
    """Escape what is not printable: control characters, line ends, marks that turn the text."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text
