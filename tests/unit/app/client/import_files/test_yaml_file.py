"""YAML files: one flat mapping, every scalar as it is written, and nothing that expands."""

from collections.abc import Callable

import pytest
import yaml

from app.client.import_files.entries import Entry, Fault
from app.client.import_files.yaml_file import parse

Read = Callable[[str], list[Entry | Fault]]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def read(request: pytest.FixtureRequest) -> Read:
    """Read with libyaml, and with PyYAML alone where the machine lacks that."""
    loader = getattr(yaml, request.param)
    return lambda text: [*parse(text, loader)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("x y", "x y"),
        ("'it''s'", "it's"),
        ('"a\\nb"', "a\nb"),
        ('""', ""),
        ("5432", "5432"),
        ("1.10", "1.10"),
        ("0123", "0123"),
        ("1e3", "1e3"),
        ("NO", "NO"),
        ("true", "true"),
        ("2026-01-02", "2026-01-02"),
        ("'null'", "null"),
        ("!!str 12", "12"),
        ("x # comment", "x"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_a_value_is(read: Read, written: str, value: str) -> None:
    (entry,) = read(f"---\nA: {written}")
    assert isinstance(entry, Entry)
    assert (entry.name, entry.value, entry.place.number) == ("A", value, 2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A:", 'line 1: has no value: leave the name out, or write "" for an empty one'),
        ("A: ~", 'line 1: has no value: leave the name out, or write "" for an empty one'),
        ("A: [x]", "line 1: has a mapping or a list as its value: write it as a string"),
        ("A: {B: x}", "line 1: has a mapping or a list as its value: write it as a string"),
        ("A: &x y", "line 1: has an anchor or an alias: write the value out"),
        ("A: *x", "line 1: has an anchor or an alias: write the value out"),
        ("<<: *x", "line 1: has an anchor or an alias: write the value out"),
        ("A: !!int 1", "line 1: has a tag: write the value as a string"),
        (
            "A: !!python/object/apply:os.system [id]",
            "line 1: has a mapping or a list as its value: write it as a string",
        ),
        ("A: !env x", "line 1: has a tag: write the value as a string"),
        ("? [a]\n: x", "line 1: has a name that is no plain text"),
        ("A: 'x", "line 1: is not YAML"),
        ("A: %x", "line 1: is not YAML"),
        ("A: \x01", "the file: is not YAML"),
        ("- A", "the file: must be one YAML mapping, of names and values"),
        ("A", "the file: must be one YAML mapping, of names and values"),
        (f"A: {'[' * 200_000}", "line 1: is nested too deeply"),
        (f"A: {'{x: ' * 200_000}", "line 1: is nested too deeply"),
    ],
    ids=lambda text: text[:16],
)
def test_what_is_no_text_under_a_name_is_refused(read: Read, text: str, fault: str) -> None:
    assert [str(each) for each in read(text)] == [fault]


@pytest.mark.parametrize("text", ['A: "\\U99999999"', f"%YAML {'9' * 5000}.1\n---\nA: x"])
def test_a_number_out_of_every_range_is_refused(read: Read, text: str) -> None:
    (fault,) = read(text)
    assert (isinstance(fault, Fault), str(fault).endswith("is not YAML")) == (True, True)


def test_every_fault_is_found_and_the_entries_between_them(read: Read) -> None:
    found = read("A: x\nB: [1]\nC:\nD: y\n---\nE: z\n")
    assert [str(each.place) for each in found] == ["line 1", "line 2", "line 3", "line 4", "line 5"]
    assert [isinstance(each, Fault) for each in found] == [False, True, True, False, True]


def test_no_alias_is_followed(read: Read) -> None:
    bomb = "A: &a [x, x]\n" + "".join(
        f"N{i}: &n{i} [*{'a' if i == 0 else f'n{i - 1}'}, *a]\n" for i in range(60)
    )
    assert all(isinstance(each, Fault) for each in read(bomb))
