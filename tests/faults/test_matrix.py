"""Whatever a provider does, each operation answers rightly, writes nothing and tells nothing."""

import pytest

from app.api.http.context import NotConnected
from app.services.errors import SystemKeyUnreadable
from backends.errors import DecryptionError, KeyProviderError
from tests.faults.conftest import SceneOf
from tests.faults.operations import LONGEST_WAIT, OPERATIONS
from tests.faults.providers import BACKENDS
from tests.faults.scene import ALONE
from tests.faults.trial import Cell, Outcome, cells

CELLS = list(cells())
COUNTS_ONLY = "rewrap-under-way"
each_cell = pytest.mark.parametrize("cell", CELLS, ids=str)

OVER_HTTP = {
    KeyProviderError: "503 keys_unavailable, again soon",
    DecryptionError: "500 value_unreadable, never again",
    NotConnected: "503 not_connected, again soon",
}
BY_COMMAND = {
    KeyProviderError: "exit 4",
    SystemKeyUnreadable: "exit 5",
    NotConnected: "exit 3",
}


def expected(cell: Cell) -> str:
    """The verdict, by what becomes of the fault; the nearest class counts."""
    if cell.operation_name == "check":
        return "exit 1"
    if cell.operation_name == COUNTS_ONLY:
        return "0 changed, 2 failed"
    verdicts = OVER_HTTP if cell.operation.is_http else BY_COMMAND
    return next(verdicts[kind] for kind in cell.failure.error.__mro__ if kind in verdicts)


@pytest.mark.parametrize("scheme", BACKENDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_fault_it_is_done(scene_of: SceneOf, scheme: str, operation: str) -> None:
    scene = scene_of(scheme, ALONE)
    attempt = OPERATIONS[operation].prepare(scene)
    try:
        assert attempt().verdict == OPERATIONS[operation].done
    finally:
        scene.restore()


@each_cell
def test_the_answer_is_right_and_in_time(cell: Cell, outcome: Outcome) -> None:
    assert outcome.answer.verdict == expected(cell)
    assert outcome.seconds < LONGEST_WAIT


@each_cell
def test_no_row_is_changed(outcome: Outcome) -> None:
    assert outcome.after == outcome.before


@each_cell
def test_no_answer_log_or_traceback_tells_a_secret(outcome: Outcome) -> None:
    places = {"answer": outcome.answer.text, "log": outcome.log, "traceback": outcome.tracebacks}
    found = {place: outcome.watch.found_in(text) for place, text in places.items()}
    assert {place: names for place, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if cell.operation_name != COUNTS_ONLY], ids=str
)
def test_the_operator_is_told_what_is_wrong(cell: Cell, outcome: Outcome) -> None:
    assert cell.failure.words in outcome.answer.text + outcome.log


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.operation.is_http], ids=str)
def test_the_same_request_is_done_when_the_fault_is_over(cell: Cell, outcome: Outcome) -> None:
    assert outcome.again is not None
    assert outcome.again.verdict == cell.operation.done
