"""Masking of what shells, languages and tools really print: `record.py` recorded it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from app.masking.masker import MASK, Masker
from app.masking.search import ValueSearch
from tests.unit.app.masking.record import FILE, output, ways
from tests.unit.app.masking.values import VALUES

_PRINTED: dict[str, dict[str, str]] = json.loads(FILE.read_text())["printed"]
_WORD = re.compile(rb"[A-Za-z0-9]{4,}")
_PARTIAL = {
    *(("tools: grep", key) for key in ("password", "base64", "table")),
    *(("tools: make info", key) for key in ("password", "url")),
    *(("tools: make database", key) for key in ("key", "table")),
}
"""Of these values grep finds nothing, and make expands or leaves out a part."""
_OF_PEM = {b"BEGIN", b"PRIVATE"}
"""Its first line, which is the same in all keys, stays visible alone."""
_SEARCHES = {key: ValueSearch([value]) for key, value in VALUES.items()}


def masked(pieces: list[bytes], key: str) -> bytes:
    masker = Masker(_SEARCHES[key])
    shown = b"".join(map(masker.feed, pieces)) + masker.finish()
    while MASK + MASK in shown:
        shown = shown.replace(MASK + MASK, MASK)
    return shown


def words_left(way: str, key: str, shown: bytes) -> set[bytes]:
    """The words of the value that are shown, but for those that the program prints itself."""
    own = set(_WORD.findall(_PRINTED[way]["no value"].encode("latin-1"))) | _OF_PEM
    return (set(_WORD.findall(VALUES[key].encode())) & set(_WORD.findall(shown))) - own


@pytest.mark.parametrize("way", _PRINTED)
def test_nothing_of_a_value_is_left_of_what_a_program_prints(way: str) -> None:
    for key in VALUES:
        if (way, key) not in _PARTIAL:
            shown = masked([_PRINTED[way][key].encode("latin-1")], key)
            assert MASK in shown, key
            assert words_left(way, key, shown) == set(), key


@pytest.mark.parametrize(("number", "way"), list(enumerate(_PRINTED)), ids=_PRINTED)
def test_the_output_may_be_cut_anywhere(number: int, way: str, proving: bool) -> None:
    keys = list(VALUES)
    for key in keys if proving else [keys[number % len(keys)]]:
        printed = _PRINTED[way][key].encode("latin-1")
        whole = masked([printed], key)
        for cut in range(1, len(printed)):
            assert masked([printed[:cut], printed[cut:]], key) == whole, (key, cut)


_PRESENT = {way: command for way, command in ways() if shutil.which(command[0])}
"""Of the other programs only what was recorded is tested."""


@pytest.mark.parametrize("way", _PRESENT)
def test_a_program_of_this_machine_prints_nothing_of_a_value(way: str, tmp_path: Path) -> None:
    shown = masked([output(_PRESENT[way], VALUES["letters"], tmp_path)], "letters")
    assert words_left(way, "letters", shown) == set()
