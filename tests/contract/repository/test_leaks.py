"""Values that go through the database stay out of errors and logs."""

import logging
import traceback
from typing import Any

import pytest

from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretFilter
from app.repository.base import Conflict, Database
from tests.contract.repository import rows

CANARY = "canary_4b1f"


def shown(error: BaseException) -> str:
    """All that a log could make of an error, whatever hangs on it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def provoke(database: Database, **changes: Any) -> BaseException:
    """The error of adding a secret that is full of canaries."""
    canary: dict[str, Any] = {"name": CANARY, "envelope": CANARY.encode(), **changes}
    with database.writing() as work, pytest.raises((Conflict, StorageUnavailable)) as caught:
        work.secrets.add(rows.secret(2, **canary))
    return caught.value


@pytest.fixture
def taken(database: Database) -> Database:
    with database.writing() as work:
        work.secrets.add(rows.secret(1, name=CANARY))
        work.commit()
    return database


BREAKING = {
    "a name that is taken": {},
    "a data key that does not exist": {"name": f"{CANARY}_2", "data_key_id": CANARY},
    "a name that is too long": {"name": CANARY * 100},
    "an id that is too long": {"name": f"{CANARY}_2", "id": CANARY * 100},
    "a version out of bounds": {"name": f"{CANARY}_2", "version": 0},
}


@pytest.mark.parametrize("changes", BREAKING.values(), ids=BREAKING)
def test_no_error_tells_what_was_written(taken: Database, changes: dict[str, object]) -> None:
    assert CANARY not in shown(provoke(taken, **changes))


@pytest.mark.parametrize("changes", BREAKING.values(), ids=BREAKING)
def test_no_driver_error_hangs_on_ours(taken: Database, changes: dict[str, object]) -> None:
    error = provoke(taken, **changes)
    assert (error.__cause__, error.__context__) == (None, None)


def test_no_log_tells_what_was_written_or_read(
    taken: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with taken.writing() as work:
        work.secrets.add(rows.secret(2, name=f"{CANARY}_2", envelope=CANARY.encode()))
        work.secrets.replace_value(rows.secret(2, version=2, envelope=CANARY.encode()))
        work.stored_responses.claim(
            rows.stored_response(CANARY, response=CANARY.encode()), now_ms=1
        )
        work.commit()
    with taken.reading() as repository:
        assert repository.secrets.page(rows.OURS, SecretFilter(search=CANARY), 9, None)
        assert repository.secrets.sealed(rows.OURS, ["sec_0002"], rows.ANY_SIZE)
    provoke(taken)
    assert CANARY not in caplog.text
