"""A provider that fails beside another: what that one opens is served, and nothing is half made."""

import pytest

from tests.faults.trial import Cell, Outcome, cells_beside

KEYS_AND_WRAPPINGS = ("data_keys", "wrappings")
EXPECTED = {
    "create-first": "503 keys_unavailable, again soon",
    "create-aged": "200",
    "redeem": "200",
    "rewrap-under-way": "0 changed, 2 failed",
}
CELLS = list(cells_beside())
each_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


@each_cell
def test_what_the_other_provider_opens_is_served(cell: Cell, outcome: Outcome) -> None:
    assert outcome.answer.verdict == EXPECTED[cell.operation_name]


@each_cell
def test_no_data_key_and_no_wrapping_is_stored(outcome: Outcome) -> None:
    (_, before), (_, after) = outcome.before, outcome.after
    assert [after[each] for each in KEYS_AND_WRAPPINGS] == [
        before[each] for each in KEYS_AND_WRAPPINGS
    ]


@each_cell
def test_no_answer_log_or_traceback_tells_a_secret(cell: Cell, outcome: Outcome) -> None:
    answer = "" if cell.operation_name == "redeem" else outcome.answer.text  # which is the value
    assert outcome.watch.found_in(answer + outcome.log + outcome.tracebacks) == []


@pytest.mark.parametrize(
    "cell", [each for each in CELLS if each.operation_name == "create-first"], ids=str
)
def test_what_could_not_be_served_is_done_when_the_fault_is_over(outcome: Outcome) -> None:
    assert outcome.again is not None
    assert outcome.again.verdict == "200"
