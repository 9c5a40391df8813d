"""Identifiers sort as their numbers do, since they have a fixed number of digits."""

import pytest

from app.domain.ids import base62

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def one_by_one(number: int, digits: int) -> str:
    return "".join(DIGITS[number // 62**place % 62] for place in reversed(range(digits)))


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 5, 6, 22, 43])
def test_a_number_is_written_digit_by_digit(digits: int) -> None:
    numbers = [0, 1, 61, 62, 62**digits - 1, 62**digits // 7, 2**128 - 1, 2**256 - 1]
    assert [base62(number, digits) for number in numbers] == [
        one_by_one(number, digits) for number in numbers
    ]
