"""Lines for people have the fields of the JSON lines, and nothing that a terminal would obey."""

import json
import re

import pytest

from app.observability.text_lines import text_line

LINE = {
    "timestamp": "2026-11-26T14:00:00+00:00",
    "level": "WARNING",
    "logger": "strongroom.api",
    "pid": 7,
    "event": "request",
    "route": "/v1/secrets",
    "status": 503,
    "detail": 'the "first" key',
    "frames": ["a.py:1 f", "b.py:2 g"],
}
HOSTILE = (
    "\n2026-11-26T14:00:00+00:00 INFO forged",
    "\r\n",
    "\x1b[2J",
    "\x7f",
    "\x9b2J",
    "\x00",
    "\u2028",
    "\u202e",
    "\ud800",
)


def fields(line: str) -> dict[str, object]:
    """The ``name=value`` pairs of a line, as values."""
    pairs = re.findall(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|\[.*?\]|\S+)', line)
    return {name: json.loads(text) if text[0] in '"[' else text for name, text in pairs}


def test_a_line_has_the_fields_of_the_json_line() -> None:
    line = text_line(LINE, colour=False)
    assert line.startswith("2026-11-26T14:00:00+00:00 WARNING request  ")
    assert fields(line) == {
        "route": "/v1/secrets",
        "status": "503",
        "detail": 'the "first" key',
        "frames": ["a.py:1 f", "b.py:2 g"],
        "logger": "strongroom.api",
        "pid": "7",
    }


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("field", ["event", "detail", "frames"])
def test_control_characters_are_escaped(field: str, text: str) -> None:
    hostile = [text] if field == "frames" else text
    line = text_line(LINE | {field: hostile}, colour=False)
    assert line.isprintable()


@pytest.mark.parametrize("text", ["a pid=1", "", '"', "a=b", "pass\\word", *HOSTILE], ids=ascii)
def test_a_value_is_read_back_as_it_was(text: str) -> None:
    assert fields(text_line(LINE | {"detail": text}, colour=False))["detail"] == text


def test_colours_change_nothing_else() -> None:
    coloured = text_line(LINE, colour=True)
    assert "\x1b[33mWARNING\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text_line(LINE, colour=False)
