"""One line a request, of fields that no client chooses."""

import logging
from typing import Any

import pytest

from tests.support.api_deployment import Account, ApiDeployment, Client

_OF_EVERY_RECORD = set(vars(logging.makeLogRecord({}))) - {"msg"} | {"message", "asctime"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, logger="strongroom.api")

    def lines() -> list[dict[str, Any]]:
        found = [vars(record) for record in caplog.records]
        return [
            {key: value for key, value in line.items() if key not in _OF_EVERY_RECORD}
            for line in found
        ]

    return lines


def test_a_request_is_one_line_of_these_fields(account: Account, lines: Any) -> None:
    answered = account.client().get("/v1/secrets")
    (line,) = lines()
    assert line.pop("duration_ms") > 0
    assert line.pop("api_key_id").startswith("key_")
    assert line == {
        "msg": "request",
        "route": "/v1/secrets",
        "method": "GET",
        "status": 200,
        "request_id": answered.headers["x-request-id"],
        "account_id": account.id,
        "code": None,
    }


def test_a_line_has_the_routes_template_and_not_the_path(client: Client, lines: Any) -> None:
    client.get("/v1/secrets/SOME_NAME")
    assert lines()[-1]["route"] == "/v1/secrets/<name>"


def test_an_error_is_logged_by_its_code(client: Client, lines: Any) -> None:
    client.get("/v1/secrets/MISSING")
    assert (lines()[-1]["status"], lines()[-1]["code"]) == (404, "secret_not_found")


def test_who_has_no_credential_has_no_account_in_the_log(
    deployment: ApiDeployment, lines: Any
) -> None:
    deployment.anyone().send("MADE-UP", "/v1/made/up")
    (line,) = lines()
    nothing = {"route", "method", "account_id", "api_key_id"}
    assert {key for key, value in line.items() if value is None} == nothing
