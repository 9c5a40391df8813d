"""Places in an output without what is dropped."""

import pytest

from app.masking.needles import Reduced
from app.masking.spelling import reduce


@pytest.mark.parametrize(
    "output",
    [
        b"abc",
        b"a b\tc'd" * 100,
        b"ab" + b" " * 1000 + b"c d",
        b"ab cd" + b"\n" * 1000,
        b"'\"" * 400,
    ],
)
def test_a_place_near_the_end_is_that_of_the_whole(output: bytes) -> None:
    whole, apart = Reduced(output), Reduced(output)
    places = range(len(reduce(output)))
    assert [apart.place_near_end(place) for place in places] == [
        whole.place(place) for place in places
    ]
