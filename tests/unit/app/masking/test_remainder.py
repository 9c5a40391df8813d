"""Places in an output without some of its bytes."""

import pytest

from app.masking.remainder import Remainder

DROPPED = b" \t\r\n'"


@pytest.mark.parametrize(
    "output",
    [
        b"abc",
        b"a b\tc'd\0" * 200,
        b"ab" + b" " * 1000 + b"c d",
        b"ab cd" + b"\n" * 1000,
        b" " * 256 + b"a" * 256 + b"'",
    ],
)
def test_each_place_is_that_of_the_same_byte(output: bytes) -> None:
    remainder = Remainder(output, DROPPED)
    places = [place for place, byte in enumerate(output) if byte not in DROPPED]
    assert remainder.text == bytes(output[place] for place in places)
    assert [remainder.place(place) for place in range(len(places))] == places
