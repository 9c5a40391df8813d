"""A memo is bounded in bytes, whatever the size of an entry."""

import pytest

from app.domain.memo import Memo


@pytest.fixture
def memo() -> Memo[str, str]:
    return Memo(100)


def keep(memo: Memo[str, str], argument: str, result: str) -> None:
    memo.keep(argument, result, len(argument) + len(result))


def test_a_result_that_was_kept_is_found(memo: Memo[str, str]) -> None:
    keep(memo, "a", "result")
    assert memo.find("a") == "result"


def test_what_was_never_kept_is_not_found(memo: Memo[str, str]) -> None:
    assert memo.find("a") is None


def test_the_oldest_results_make_room(memo: Memo[str, str]) -> None:
    for argument in "abc":
        keep(memo, argument, "x" * 49)
    assert [memo.find(argument) is not None for argument in "abc"] == [False, True, True]


def test_the_bytes_of_all_entries_keep_to_the_bound(memo: Memo[str, str]) -> None:
    for number in range(1000):
        keep(memo, str(number), "x" * (number % 90))
    assert memo.bytes <= 100


def test_a_result_over_the_bound_is_not_kept(memo: Memo[str, str]) -> None:
    keep(memo, "a", "kept")
    keep(memo, "b", "x" * 100)
    assert (memo.find("a"), memo.find("b")) == ("kept", None)


def test_a_result_that_is_kept_again_counts_once(memo: Memo[str, str]) -> None:
    for _ in range(3):
        keep(memo, "a", "x" * 49)
    assert memo.bytes == 50
