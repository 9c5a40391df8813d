"""The one table of errors: which exception is which answer."""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Response
from werkzeug.exceptions import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from app.api.http.context import NotConnected, exchange
from app.api.http.malformed import BodyMissing, InvalidJson, InvalidRequestId, WrongContentType
from app.api.http.request_log import log_failure
from app.api.http.responses import answer
from app.domain import errors as domain
from app.services.errors import DecryptionError, KeyProviderError, KeyUnavailable


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How an exception is answered.

    Attributes:
        message: ``None`` for the exception's own text, which then holds no input.
        retry_after: Whole seconds, 1 to 60: Python clients ignore others, JavaScript's obey them.
        final: Whether clients must not retry, although the status says that they may.
    """

    status: HTTPStatus
    code: str
    message: str | None = None
    retry_after: int | None = None
    final: bool = False


_UNREADABLE = ErrorAnswer(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "value_unreadable",
    "What is stored cannot be read: it was changed, or belongs to other keys.",
    final=True,
)
_INTERNAL = ErrorAnswer(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The server failed; its log says why."
)

ANSWERS: dict[type[Exception], ErrorAnswer] = {
    # What was sent.
    domain.InvalidRequest: ErrorAnswer(HTTPStatus.BAD_REQUEST, "invalid_request"),
    domain.SecretNameExists: ErrorAnswer(HTTPStatus.BAD_REQUEST, "secret_name_exists"),
    domain.AccountLimitReached: ErrorAnswer(HTTPStatus.BAD_REQUEST, "account_limit_reached"),
    domain.RequestIdReused: ErrorAnswer(HTTPStatus.BAD_REQUEST, "request_id_reused"),
    domain.RequestIdUnusable: ErrorAnswer(HTTPStatus.BAD_REQUEST, "request_id_unusable"),
    BodyMissing: ErrorAnswer(HTTPStatus.BAD_REQUEST, "body_missing"),
    WrongContentType: ErrorAnswer(HTTPStatus.BAD_REQUEST, "wrong_content_type"),
    InvalidJson: ErrorAnswer(HTTPStatus.BAD_REQUEST, "invalid_json"),
    InvalidRequestId: ErrorAnswer(HTTPStatus.BAD_REQUEST, "invalid_request_id"),
    BadRequest: ErrorAnswer(
        HTTPStatus.BAD_REQUEST, "bad_request", "The request could not be understood."
    ),
    RequestEntityTooLarge: ErrorAnswer(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body is too large."
    ),
    # Who sent it.
    domain.Unauthenticated: ErrorAnswer(HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    domain.InjectionRefused: ErrorAnswer(HTTPStatus.UNAUTHORIZED, "injection_refused"),
    domain.DevboxCapabilityMissing: ErrorAnswer(HTTPStatus.FORBIDDEN, "devbox_capability_missing"),
    domain.ScopeMissing: ErrorAnswer(HTTPStatus.FORBIDDEN, "scope_missing"),
    domain.IssuerLimitReached: ErrorAnswer(HTTPStatus.FORBIDDEN, "issuer_limit_reached"),
    # What is not there.
    domain.SecretNotFound: ErrorAnswer(HTTPStatus.NOT_FOUND, "secret_not_found"),
    domain.SecretsMissing: ErrorAnswer(HTTPStatus.NOT_FOUND, "secrets_missing"),
    domain.InjectionNotFound: ErrorAnswer(HTTPStatus.NOT_FOUND, "injection_not_found"),
    NotFound: ErrorAnswer(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this path."),
    MethodNotAllowed: ErrorAnswer(
        HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method."
    ),
    # What the server depends on.
    KeyProviderError: ErrorAnswer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys_unavailable",
        "The keys that this needs cannot be used at the moment.",
        retry_after=5,
    ),
    domain.StorageUnavailable: ErrorAnswer(
        HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", retry_after=2
    ),
    domain.NotInitialised: ErrorAnswer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not_initialised",
        "The server is not set up yet.",
        retry_after=5,
    ),
    NotConnected: ErrorAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "not_connected", retry_after=5),
    # What must not happen.
    DecryptionError: _UNREADABLE,
    domain.TamperedRow: _UNREADABLE,
}


def answer_error(error: Exception) -> Response:
    """The answer to any exception, and a line in the log if the fault is ours."""
    found = _find(error)
    request_id = exchange().request_id
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log_failure(error, request_id, foreseen=found is not _INTERNAL)
    exchange().error_code = found.code
    message = str(error) if found.message is None else found.message
    shown = {"code": found.code, "message": message, "request_id": request_id}
    response = answer(shown, found.status)
    response.headers.update(_headers(found, error))
    return response


def _find(error: Exception) -> ErrorAnswer:
    return next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), _INTERNAL)


def _headers(found: ErrorAnswer, error: Exception) -> dict[str, str]:
    headers = {}
    if isinstance(error, domain.Unauthenticated | domain.InjectionRefused):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if found.retry_after is not None:
        seconds = error.retry_after if isinstance(error, KeyUnavailable) else found.retry_after
        headers["Retry-After"] = str(seconds)
    if found.final:
        headers["x-should-retry"] = "false"
    return headers
