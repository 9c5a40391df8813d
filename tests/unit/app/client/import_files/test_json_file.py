"""JSON files: one object of texts, numbers and booleans as they are written."""

import pytest

from app.client.import_files.reading import parse


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse(text, "json").faults]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"x"', "x"),
        ('""', ""),
        ('"a\\nb \\u00e9"', "a\nb é"),
        ("5432", "5432"),
        ("1.10", "1.10"),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ("true", "true"),
        ("false", "false"),
        ('"null"', "null"),
    ],
    ids=lambda text: text[:12],
)
def test_a_value_is(written: str, value: str) -> None:
    read = parse(f'{{"A": {written}}}\r\n', "json")
    assert [(entry.name, entry.value) for entry in read.entries] == [("A", value)]
    assert read.faults == []


def test_each_value_that_is_no_text_is_named_by_the_number_of_its_entry() -> None:
    assert faults('{"A": {"B": 1}, "C": [1], "D": null, "E": "x"}') == [
        "entry 1: has an object or an array as its value: write it as a string",
        "entry 2: has an object or an array as its value: write it as a string",
        'entry 3: is null: leave it out, or write "" for an empty value',
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"A": 1,\n "B" 2}', "line 2: is not JSON"),
        ("", "line 1: is not JSON"),
        ('{"A": NaN}', "the file: is not JSON"),
        ("[" * 100_000, "the file: is not JSON"),
        ('{"A":' * 100_000, "the file: is not JSON"),
        ("[1]", "the file: must be one JSON object, of names and values"),
        ("{}", "the file: has no name"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_object_of_names_is_refused(text: str, fault: str) -> None:
    assert faults(text) == [fault]
