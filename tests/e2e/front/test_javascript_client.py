"""The official JavaScript client, unchanged, over HTTP/2 as is its default; also through nginx."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.services.container import Services
from tests.e2e.account import Account
from tests.e2e.front.conftest import Way
from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def account(backend: Strongroom, backend_operator: Services, way: Way) -> Iterator[Account]:
    with Account.new(backend.url, backend_operator) as account:
        yield account


@pytest.fixture(scope="module")
def answers(javascript: JavaScript, account: Account, way: Way) -> dict[str, Any]:
    """The responses that ``secrets.mjs`` got."""
    environ = {**way.environment, "RUNLOOP_API_KEY": account.token}
    told: dict[str, Any] = json.loads(javascript.run("secrets.mjs", environ=environ).stdout)
    return told


def test_a_secret_is_created(answers: dict[str, Any]) -> None:
    assert answers["created"]["id"].startswith("sec_")
    assert answers["created"]["name"] == "FIRST"


def test_a_process_gets_the_stored_value(answers: dict[str, Any], account: Account) -> None:
    assert "created" in answers
    assert account.values("FIRST") == {"FIRST": "grüße ✓\n"}


def test_an_update_keeps_the_secret(answers: dict[str, Any]) -> None:
    assert answers["updated"]["id"] == answers["second"]["id"]
    assert answers["retrieved"] == answers["updated"]


def test_a_list_is_read_page_by_page_newest_first(answers: dict[str, Any]) -> None:
    assert [secret["name"] for secret in answers["page"]["secrets"]] == ["THIRD", "SECOND"]
    assert (answers["page"]["has_more"], answers["page"]["total_count"]) == (True, 3)
    assert [secret["name"] for secret in answers["rest"]["secrets"]] == ["FIRST"]
    assert answers["rest"]["has_more"] is False


def test_deleted_secrets_are_gone(answers: dict[str, Any]) -> None:
    assert answers["deleted"] == answers["third"]
    assert answers["deletedWithBody"]["id"] == answers["second"]["id"]
    assert [secret["name"] for secret in answers["left"]["secrets"]] == ["FIRST"]


@pytest.mark.parametrize(
    ("call", "error", "status"),
    [
        ("duplicate", "BadRequestError", 400),
        ("illegal", "BadRequestError", 400),
        ("tooMany", "BadRequestError", 400),
        ("missing", "NotFoundError", 404),
        ("deletedTwice", "NotFoundError", 404),
        ("wrongKey", "AuthenticationError", 401),
    ],
)
def test_a_refusal_is_reported_with_status_and_message(
    call: str, error: str, status: int, answers: dict[str, Any]
) -> None:
    assert (answers[call]["error"], answers[call]["status"]) == (error, status)
    assert answers[call]["message"].startswith(f"{status} ")
    assert '{"' not in answers[call]["message"]


def test_a_malformed_path_is_refused_by_the_server_or_by_nginx(answers: dict[str, Any]) -> None:
    assert answers["odd"]["status"] in {404, 400}
    assert answers["odd"]["message"].startswith(f"{answers['odd']['status']} ")
