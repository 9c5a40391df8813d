"""``.env`` files are read as python-dotenv reads them without interpolation, or refused by line."""

import io
from pathlib import Path

import pytest
from dotenv import dotenv_values
from dotenv.main import DotEnv
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.client.import_files.reading import ImportFile, parse

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.env"))


def values(read: ImportFile) -> dict[str, str]:
    return {entry.name: entry.value for entry in read.entries}


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse(text, "env").faults]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_real_files_are_read_as_python_dotenv_reads_them(path: Path, line_end: str) -> None:
    text = path.read_text()
    read = parse(text.replace("\n", line_end), "env")
    assert read.faults == []
    assert values(read) == dotenv_values(stream=io.StringIO(text), interpolate=False)


@settings(deadline=None)
@example("A=\nA")
@given(st.text(alphabet="ABn='\"#\\ \n\r\t${}\u00a0\u2028", max_size=60))
def test_every_text_has_the_entries_that_python_dotenv_finds(text: str) -> None:
    opened = io.StringIO(text, newline=None)  # as Python opens a file
    found = DotEnv(None, stream=opened, interpolate=False).parse()
    assert [(entry.name, entry.value) for entry in parse(text, "env").entries] == [
        (name, value) for name, value in found if value is not None
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("A=", ""),
        ("A=''", ""),
        ("export A=x", "x"),
        ("A = x ", "x"),
        ("A=x # comment", "x"),
        ("A=x#y", "x#y"),
        ("A='x # y'", "x # y"),
        ("A='it\\'s'", "it's"),
        ('A="a\\nb"', "a\nb"),
        ("A='a\\nb'", "a\\nb"),
        ('A="a\nb"', "a\nb"),
        ('A="a\r\nb"', "a\nb"),
        ('A="a\\r\\nb"', "a\r\nb"),
        ("A=$HOME/${B}", "$HOME/${B}"),
        ("A=a=b==", "a=b=="),
    ],
)
def test_a_value_is(text: str, value: str) -> None:
    assert values(parse(text, "env")) == {"A": value}


def test_a_value_that_asks_for_interpolation_has_a_note() -> None:
    notes = [entry.note for entry in parse("A=${B}\nB=x\n", "env").entries]
    assert notes == ["${…} is stored as it stands: nothing is interpolated", ""]


def test_each_line_that_cannot_be_read_is_named_by_its_number() -> None:
    assert faults("A=1\n\n\nB\nC='x' y\nD=2\n") == [
        "line 4: has no = and so no value",
        "line 5: is not NAME=VALUE (a value of several lines needs quotes)",
    ]


def test_a_quote_that_never_ends_is_named_by_the_line_that_it_begins_in() -> None:
    (first, *_) = faults('A=1\nKEY="begin\nof a key\n')
    assert first == "line 2: is not NAME=VALUE (a value of several lines needs quotes)"


def test_many_blanks_are_refused_before_python_dotenv_searches_them() -> None:
    assert faults(f"A=1\nB=x{' ' * 500_000}y\n") == ["line 2: has more than 200 blanks in a row"]
