"""Stored responses: claimed once, finished, and gone when they expire."""

import pytest

from app.repository.base import Database
from tests.contract.repository import rows


def claim(database: Database, request_id: str = "request", *, now_ms: int = 1) -> bool:
    with database.writing() as work:
        is_mine = work.stored_responses.claim(rows.stored_response(request_id), now_ms)
        work.commit()
    return is_mine


def test_a_finished_answer_is_found(database: Database) -> None:
    finished = rows.stored_response(response=b"sealed")
    with database.writing() as work:
        work.stored_responses.claim(rows.stored_response(), now_ms=1)
        work.stored_responses.finish(finished)
        work.commit()
    with database.reading() as repository:
        assert repository.stored_responses.get(rows.OURS, rows.API_KEY, "request") == finished


def test_a_request_id_is_claimed_once(database: Database) -> None:
    assert claim(database)
    assert not claim(database)


def test_a_lost_claim_leaves_the_stored_answer_as_it_was(database: Database) -> None:
    claim(database)
    with database.writing() as work:
        work.stored_responses.claim(
            rows.stored_response(digest=b"e" * 32, expires_at_ms=9999), now_ms=1
        )
        work.commit()
    with database.reading() as repository:
        assert (
            repository.stored_responses.get(rows.OURS, rows.API_KEY, "request")
            == rows.stored_response()
        )


@pytest.mark.parametrize(("now_ms", "is_free"), [(999, False), (1000, True), (1001, True)])
def test_an_expired_answer_is_claimed_again(
    database: Database, now_ms: int, *, is_free: bool
) -> None:
    claim(database)
    assert claim(database, now_ms=now_ms) is is_free


@pytest.mark.parametrize("column", ["account_id", "api_key_id", "request_id"])
def test_claims_of_others_do_not_meet(database: Database, column: str) -> None:
    claim(database)
    with database.writing() as work:
        assert work.stored_responses.claim(rows.stored_response(**{column: "another"}), now_ms=1)


def test_expired_responses_of_the_account_are_deleted(database: Database) -> None:
    kept = rows.stored_response("kept", expires_at_ms=1001)
    theirs = rows.stored_response("expired", account_id=rows.THEIRS)
    with database.writing() as work:
        for response in (rows.stored_response("expired"), kept, theirs):
            work.stored_responses.claim(response, now_ms=1)
        work.stored_responses.delete_expired(rows.OURS, 1000, 100)
        work.commit()
    with database.reading() as repository:
        assert repository.stored_responses.get(rows.OURS, rows.API_KEY, "expired") is None
        assert repository.stored_responses.get(rows.OURS, rows.API_KEY, "kept") == kept
        assert repository.stored_responses.get(rows.THEIRS, rows.API_KEY, "expired") == theirs
