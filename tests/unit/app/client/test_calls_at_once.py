"""Calls on many items: a few at once, results as they come, and an end that waits for nobody."""

import threading

import pytest

from app.client.redeem import Fault, Refused
from app.client.secret.calls_at_once import CALLS_AT_ONCE, CallsAtOnce


def test_every_item_has_one_result() -> None:
    calls = CallsAtOnce(range(100), lambda item: item * 2)
    assert sorted(calls.results()) == [(item, item * 2) for item in range(100)]


def test_no_item_is_no_result() -> None:
    assert [*CallsAtOnce([], str).results()] == []


def test_a_refusal_is_a_result_beside_the_others() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise Refused(Fault("no"))
        return item

    results = dict(CallsAtOnce(range(10), work).results())
    assert isinstance(results.pop(3), Refused)
    assert results == {item: item for item in range(10) if item != 3}


def test_another_error_is_raised_where_the_results_are_read() -> None:
    with pytest.raises(ZeroDivisionError):
        [*CallsAtOnce([0], lambda item: 1 // item).results()]


def test_after_a_stop_only_what_was_begun_has_a_result() -> None:
    go_on = threading.Event()

    def work(item: int) -> int:
        if item:
            go_on.wait(60)
        return item

    calls = CallsAtOnce(range(1000), work)
    found = []
    for item, _ in calls.results():
        found.append(item)
        calls.stop()
        go_on.set()
    assert len(found) <= CALLS_AT_ONCE + 1


def test_a_call_may_stop_the_others() -> None:
    def work(item: int) -> int:
        calls.stop()
        return item

    calls = CallsAtOnce(range(1000), work)
    assert len([*calls.results()]) <= CALLS_AT_ONCE


def test_late_results_do_not_wait_for_a_call_that_hangs() -> None:
    never, begun = threading.Event(), threading.Barrier(3)

    def work(item: str) -> str:
        begun.wait(60)
        if item == "hangs":
            never.wait(60)
        return item

    calls = CallsAtOnce(["hangs", "done"], work)
    results = calls.results()
    starter = threading.Thread(target=begun.wait, args=(60,))
    starter.start()
    assert next(results) == ("done", "done")
    calls.stop()
    assert [*calls.late_results(0.05)] == []
    never.set()
    starter.join()
