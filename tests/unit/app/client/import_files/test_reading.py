"""An import file as a whole: its format, its bytes, and every fault of it at once."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.import_files.checking import MAX_ENTRIES
from app.client.import_files.reading import FORMATS, MAX_BYTES, format_of, parse, read


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (".env", "env"),
        (".env.local", "env"),
        ("prod.env", "env"),
        ("prod.env.old", "env"),
        ("-", "env"),
        ("a.json", "json"),
        (".env.json", "json"),
        ("a.yaml", "yaml"),
        ("a.YML", "yaml"),
        ("secrets.txt", None),
        ("env", None),
        ("a.toml", None),
        (".environment", None),
    ],
)
def test_the_name_of_a_file_shows_its_format(name: str, kind: str | None) -> None:
    assert format_of(Path("/some/where") / name) == kind


def faults(text: str, kind: str = "env") -> list[str]:
    return [str(fault) for fault in parse(text, kind).faults]


def test_every_fault_of_a_file_is_found_at_once_in_the_order_of_its_lines() -> None:
    text = f"A=1\n1B=2\nC\nA=3\nD={'x' * 65537}\nE='x' y\nsec_{'a' * 22}=1\nF-G=ok\n"
    assert [line.split(": ")[0] for line in faults(text)] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
    ]


def test_a_value_counts_in_bytes_of_utf_8() -> None:
    assert faults(f"A={'é' * 32768}") == []
    assert faults(f"A={'é' * 32768}x") == ["line 1: the value is longer than 65536 bytes"]


def test_a_name_given_twice_is_refused_even_in_one_line() -> None:
    assert faults("{A: 1, A: 2}", "yaml") == ["line 1: the name is given already, in line 1"]


def test_a_value_that_is_no_unicode_is_refused() -> None:
    assert faults('{"A": "\\ud800", "B": "\\u0000"}', "json") == [
        "entry 1: the value has an unpaired surrogate, which is no character",
        "entry 2: the value has a NUL, which no variable can have",
    ]


def test_a_piece_of_a_key_that_reads_like_a_name_is_refused() -> None:
    piece = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    assert faults(f"KEY=-----BEGIN KEY-----\n{piece}==\n") == [
        "line 2: the name looks like a credential (strongroom secret set takes it if it is none)"
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_a_name_is_refused(kind: str) -> None:
    (fault, *more) = faults("\n", kind)
    assert more == []
    assert fault.endswith(("has no name", "is not JSON"))


def test_too_many_names_are_refused() -> None:
    assert faults("".join(f"N{i}=x\n" for i in range(MAX_ENTRIES))) == []
    assert faults("".join(f"N{i}=x\n" for i in range(MAX_ENTRIES + 1))) == [
        "the file: has more than 1000 names: split it"
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"A=1\nB=\xff\n", "line 2: is not UTF-8 (or UTF-16 with its mark)"),
        (b"A=1\nB=\0\n", "line 2: has a NUL: this is no text file"),
        (b"#" * (MAX_BYTES + 1), "the file: is larger than 1 MiB: split it"),
    ],
    ids=["latin", "NUL", "large"],
)
def test_bytes_that_are_no_bounded_text_are_refused(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    assert [str(each) for each in read(file, "env", 5.0).faults] == [fault]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("kind", FORMATS)
def test_text_as_windows_saves_it_is_read_as_meant(
    tmp_path: Path, encoding: str, kind: str
) -> None:
    text = {"json": '{\r\n"A": "é"\r\n}\r\n', "yaml": "A: é\r\n"}.get(kind, "A=é\r\n")
    file = tmp_path / "file"
    file.write_bytes(text.encode(encoding))
    found = read(file, kind, 5.0)
    assert [(each.name, each.value) for each in found.entries] == [("A", "é")]
    assert found.faults == []


def test_a_file_that_is_missing_is_named_with_the_reason(tmp_path: Path) -> None:
    (fault,) = read(tmp_path / "none.env", "env", 5.0).faults
    assert str(fault) == "the file: cannot be read (No such file or directory)"


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("A=1\n"))
    writer.start()
    assert [entry.name for entry in read(pipe, "env", 20.0).entries] == ["A"]
    writer.join()


def test_a_pipe_that_nobody_writes_to_ends_the_wait(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (fault,) = read(pipe, "env", 0.05).faults
    assert str(fault) == "the file: did not end in time"


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None)
@given(
    st.text(alphabet="AB=:-#'\"\\ \n\r\t{}[],&*!%|>?@`~0\0\x07\x85\u2028\U0010ffff", max_size=40)
)
def test_every_text_has_entries_or_faults(kind: str, text: str) -> None:
    found = parse(text, kind)
    assert found.entries or found.faults


@pytest.mark.parametrize("kind", FORMATS)
def test_neither_an_entry_nor_a_fault_shows_text_of_the_file(kind: str) -> None:
    text = "CANARY: canary\ncanary=canary\n"
    assert "canary" not in repr(parse(text, kind)).lower()
