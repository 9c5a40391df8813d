"""Many items at once, each with an answer of its own."""

from threading import current_thread

import pytest

from backends.calls.batches import side_by_side
from backends.context import KeyContext
from backends.errors import KeyAccessDenied
from backends.provider import WrappedKey

CONTEXT = KeyContext("dep", "acct", "dk")


def items(count: int) -> list[tuple[WrappedKey, KeyContext]]:
    return [(WrappedKey("any", str(place), b"blob"), CONTEXT) for place in range(count)]


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8])
def test_answers_come_in_the_order_of_the_items(count: int) -> None:
    answers = side_by_side(items(count), 3, lambda wrapped, _: wrapped.key_ref)
    assert answers == [str(place) for place in range(count)]


def test_calls_that_hang_keep_no_process_from_ending() -> None:
    assert side_by_side(items(4), 2, lambda *_: current_thread().daemon) == [True] * 4


def test_once_access_is_denied_the_rest_is_not_asked_for() -> None:
    asked = []

    def deny(wrapped: WrappedKey, _: KeyContext) -> None:
        asked.append(wrapped.key_ref)
        raise KeyAccessDenied("denied")

    answers = side_by_side(items(5), 1, deny)
    assert [type(each) for each in answers] == [KeyAccessDenied] * 5
    assert asked == ["0"]
