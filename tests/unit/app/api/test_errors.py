"""Every exception has one answer, which is documented and tells nothing that it should not."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from flask import Response
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.test import TestResponse

from app.api.http import malformed
from app.api.http.context import NotConnected
from app.api.http.errors import RESPONSES
from app.domain import errors as domain
from app.domain.errors import DomainError
from app.gateway.messages.refusals import REFUSALS
from app.server.application import Application
from app.services.container import Services
from app.services.errors import SystemKeyUnreadable
from backends import errors as backends
from tests.support.api_deployment import Client, body_of, error_of

DOCUMENT = Path(__file__).parents[4] / "docs" / "errors.md"
CANARY = "kumquat"
OFFICIAL_RETRIES = 5
LONGEST_FAIL_OVER_S = 22
"""Patroni's, with its smallest ``ttl`` of 20 s, when the leader's machine dies."""


def _answer_to(error: Exception) -> TestResponse:
    """The answer of an application in which everything raises ``error``."""

    def fail() -> NoReturn:
        raise error

    services: Callable[[], Services] = fail
    return Client(Application(services), "a token").get("/v1/secrets")


UNSENDABLE = ("credential_not_sendable", "502")
"""The one refusal of the gateway that the API has, too."""


def documented() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The codes and statuses of the page: those of the API, and those of the gateway."""
    before, _, rest = DOCUMENT.read_text().partition("These come from the gateway itself:")
    gateway, _, after = rest.partition("\n## ")
    row = re.compile(r"^\| `(\w+)` \| (\d+) \|", re.MULTILINE)
    return row.findall(before + after), row.findall(gateway)


def test_every_code_is_documented_with_its_status() -> None:
    of_the_api, _ = documented()
    coded = {(found.code, str(int(found.status))) for found in RESPONSES.values()}
    assert sorted(of_the_api) == sorted(coded | {("internal_error", "500")})


def test_every_code_of_the_gateway_is_documented_with_its_status() -> None:
    of_the_api, of_the_gateway = documented()
    coded = {(code, str(int(status))) for code, (status, _) in REFUSALS.items()}
    assert sorted(of_the_gateway) == sorted(coded - {("internal_error", "500"), UNSENDABLE})
    assert UNSENDABLE in of_the_api


def test_no_client_would_sleep_for_longer_than_a_minute() -> None:
    delays = [found.retry_after for found in RESPONSES.values() if found.retry_after is not None]
    assert delays
    assert all(1 <= delay <= 60 for delay in delays)


def test_the_retries_of_an_official_client_span_the_fail_over_of_a_database() -> None:
    wait = RESPONSES[domain.StorageUnavailable].retry_after
    assert wait is not None
    assert wait * OFFICIAL_RETRIES >= LONGEST_FAIL_OVER_S


def test_503_and_429_always_say_when_to_come_back() -> None:
    assert all(
        (found.status in {429, 503}) == (found.retry_after is not None)
        for found in RESPONSES.values()
    )


def test_no_answer_is_a_conflict_that_clients_would_repeat() -> None:
    assert not {409, 408} & {int(found.status) for found in RESPONSES.values()}


def test_only_a_caller_over_its_rate_is_told_to_slow_down() -> None:
    assert {kind for kind, found in RESPONSES.items() if found.status == 429} == {
        domain.RateLimited
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (domain.InvalidRequest("No."), (400, "invalid_request")),
        (domain.RequestIdReused(), (400, "request_id_reused")),
        (domain.RequestIdUnusable(), (400, "request_id_unusable")),
        (domain.SecretNameExists("A"), (400, "secret_name_exists")),
        (malformed.BodyMissing(), (400, "body_missing")),
        (domain.Unauthenticated(), (401, "unauthenticated")),
        (domain.ScopeMissing("a:b"), (403, "scope_missing")),
        (domain.RateLimited("account", 9, "minute", 7), (429, "rate_limited")),
        (domain.SecretNotFound(), (404, "secret_not_found")),
        (domain.TamperedRow("wrappings"), (500, "value_unreadable")),
        (backends.DecryptionError(), (500, "value_unreadable")),
        (backends.KeyAccessDenied(CANARY), (503, "keys_unavailable")),
        (backends.KeyUnavailable(CANARY), (503, "keys_unavailable")),
        (backends.KeyDisabled(CANARY), (503, "keys_unavailable")),
        (backends.UnknownKey(CANARY), (503, "keys_unavailable")),
        (backends.KeyProviderConfigError(CANARY), (503, "keys_unavailable")),
        (SystemKeyUnreadable(), (503, "keys_unavailable")),
        (domain.StorageUnavailable(), (503, "storage_unavailable")),
        (domain.RowRefused("23514"), (500, "internal_error")),
        (domain.Moved(), (503, "moved")),
        (domain.NotInitialised(), (503, "not_initialised")),
        (NotConnected(), (503, "not_connected")),
        (ValueError(CANARY), (500, "internal_error")),
        (DomainError(CANARY), (500, "internal_error")),
    ],
    ids=lambda found: type(found).__name__ if isinstance(found, Exception) else found[1],
)
def test_an_exception_is_answered_as_the_table_says(
    error: Exception, expected: tuple[int, str]
) -> None:
    answered = _answer_to(error)
    assert error_of(answered) == expected
    assert CANARY not in answered.text


def test_what_a_provider_asks_for_is_how_long_clients_wait() -> None:
    answered = _answer_to(backends.KeyUnavailable("It is throttled.", retry_after=17))
    assert answered.headers["Retry-After"] == "17"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(domain.StorageUnavailable(), "5"), (domain.StorageUnavailable(retry_after=1), "1")],
    ids=["replaced", "busy"],
)
def test_a_busy_database_is_asked_again_sooner_than_one_that_is_replaced(
    error: Exception, seconds: str
) -> None:
    assert _answer_to(error).headers["Retry-After"] == seconds


def test_a_caller_over_its_rate_is_told_its_own_time_to_wait() -> None:
    answered = _answer_to(domain.RateLimited("account", 9, "minute", 17))
    assert answered.headers["Retry-After"] == "17"


@pytest.mark.parametrize("error", [backends.DecryptionError(), domain.TamperedRow("secrets")])
def test_what_stays_unreadable_is_not_to_be_repeated(error: Exception) -> None:
    assert _answer_to(error).headers["x-should-retry"] == "false"


@pytest.mark.parametrize("error", [backends.KeyUnavailable("x"), ValueError(), NotConnected()])
def test_what_may_pass_may_be_repeated(error: Exception) -> None:
    assert "x-should-retry" not in _answer_to(error).headers


def test_the_rules_that_a_request_breaks_are_in_the_message() -> None:
    broken = domain.InvalidRequest("The name is not valid.", {"name": "must be shorter"})
    message = body_of(_answer_to(broken))["message"]
    assert message == "The name is not valid: name must be shorter."


def test_an_unforeseen_error_is_logged_by_class_and_place_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = ValueError(CANARY)
        error.__cause__ = LookupError(CANARY)
        answered = _answer_to(error)
    failure = next(record for record in caplog.records if record.message == "failure")
    assert vars(failure)["exception"] == "ValueError"
    assert any("admission.py" in frame for frame in vars(failure)["frames"])
    assert vars(failure)["request_id"] == body_of(answered)["request_id"]
    assert CANARY not in str([vars(record) for record in caplog.records])


def test_a_foreseen_failure_is_logged_in_our_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        _answer_to(backends.KeyProviderConfigError("STRONGROOM_KEYS: cannot be read."))
    failure = next(record for record in caplog.records if record.message == "failure")
    assert vars(failure)["detail"] == "STRONGROOM_KEYS: cannot be read."


def test_an_error_after_the_view_is_answered_and_logged_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [ValueError(CANARY)]

    def fail_once(response: Response) -> Response:
        if faults:
            raise faults.pop()
        return response

    app = Application(lambda: pytest.fail("not needed"))
    app.after_request(fail_once)
    with caplog.at_level(logging.DEBUG):
        answered = Client(app, None).get("/healthz")
    assert error_of(answered) == (500, "internal_error")
    assert any(vars(record).get("exception") == "ValueError" for record in caplog.records)
    assert CANARY not in caplog.text + answered.text


def test_a_wrong_method_without_a_list_is_still_answered() -> None:
    assert _answer_to(MethodNotAllowed()).headers["Allow"] == ""
