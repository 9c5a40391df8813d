"""The one table of errors: the response to each exception."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from app.api.http.client_address import client_address
from app.api.http.context import NotConnected, context
from app.api.http.failure_log import log_failure
from app.api.http.malformed import BodyMissing, InvalidJson, InvalidRequestId, WrongContentType
from app.domain import errors as domain
from app.domain import secret_versions as versions
from app.domain.gateways import errors as gateway_errors
from app.domain.gateways import refusals as gateways
from app.domain.gateways.targets import AmbiguousPath
from app.services.errors import DecryptionError, KeyProviderError, KeyUnavailable


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """The response to an exception.

    Attributes:
        message: ``None`` for the exception's own text, which then holds no input.
        retry_after: Whole seconds, 1 to 60: Python clients ignore others, JavaScript's obey them.
        final: Clients must not retry, although the status says that they may.
    """

    status: HTTPStatus
    code: str
    message: str | None = None
    retry_after: int | None = None
    final: bool = False


_UNREADABLE = ErrorResponse(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "value_unreadable",
    "What is stored cannot be read: it was changed, or belongs to other keys.",
    final=True,
)
_INTERNAL = ErrorResponse(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The server failed; its log says why."
)

_ADMISSION_REFUSALS: Mapping[HTTPStatus, tuple[type[gateways.AdmissionRefused], ...]] = {
    HTTPStatus.UNAUTHORIZED: (gateways.TokenRefused, gateways.TokenExpired),
    HTTPStatus.FORBIDDEN: (
        gateways.SourceRefused,
        gateways.GatewayMismatch,
        gateways.ConfigGone,
        gateways.ConfigChanged,
        gateways.SecretGone,
        gateways.RequestNotAllowed,
        gateways.BudgetSpent,
    ),
}

RESPONSES: dict[type[Exception], ErrorResponse] = {
    # The request is wrong.
    domain.InvalidRequest: ErrorResponse(HTTPStatus.BAD_REQUEST, "invalid_request"),
    domain.SecretNameExists: ErrorResponse(HTTPStatus.BAD_REQUEST, "secret_name_exists"),
    domain.AccountLimitReached: ErrorResponse(HTTPStatus.BAD_REQUEST, "account_limit_reached"),
    gateway_errors.GatewayConfigNameExists: ErrorResponse(
        HTTPStatus.BAD_REQUEST, "gateway_config_name_exists"
    ),
    gateway_errors.GatewayNotConfigured: ErrorResponse(
        HTTPStatus.BAD_REQUEST, "gateway_not_configured"
    ),
    gateway_errors.GatewayTokenLimitReached: ErrorResponse(
        HTTPStatus.BAD_REQUEST, "gateway_token_limit_reached"
    ),
    versions.VersionIsCurrent: ErrorResponse(HTTPStatus.BAD_REQUEST, "version_is_current"),
    domain.RequestIdReused: ErrorResponse(HTTPStatus.BAD_REQUEST, "request_id_reused"),
    domain.RequestIdUnusable: ErrorResponse(HTTPStatus.BAD_REQUEST, "request_id_unusable"),
    BodyMissing: ErrorResponse(HTTPStatus.BAD_REQUEST, "body_missing"),
    WrongContentType: ErrorResponse(HTTPStatus.BAD_REQUEST, "wrong_content_type"),
    InvalidJson: ErrorResponse(HTTPStatus.BAD_REQUEST, "invalid_json"),
    InvalidRequestId: ErrorResponse(HTTPStatus.BAD_REQUEST, "invalid_request_id"),
    BadRequest: ErrorResponse(
        HTTPStatus.BAD_REQUEST, "bad_request", "The request could not be understood."
    ),
    RequestEntityTooLarge: ErrorResponse(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body is too large."
    ),
    # The credential is wrong.
    domain.Unauthenticated: ErrorResponse(HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    domain.InjectionRefused: ErrorResponse(HTTPStatus.UNAUTHORIZED, "injection_refused"),
    gateways.GatewayKeyRefused: ErrorResponse(HTTPStatus.UNAUTHORIZED, "gateway_key_refused"),
    domain.DevboxCapabilityMissing: ErrorResponse(
        HTTPStatus.FORBIDDEN, "devbox_capability_missing"
    ),
    domain.ScopeMissing: ErrorResponse(HTTPStatus.FORBIDDEN, "scope_missing"),
    domain.IssuerLimitReached: ErrorResponse(HTTPStatus.FORBIDDEN, "issuer_limit_reached"),
    # A gateway may not carry a request.
    **{
        refusal: ErrorResponse(status, refusal.code)
        for status, refusals in _ADMISSION_REFUSALS.items()
        for refusal in refusals
    },
    AmbiguousPath: ErrorResponse(HTTPStatus.BAD_REQUEST, "ambiguous_path"),
    gateways.CredentialNotSendable: ErrorResponse(
        HTTPStatus.BAD_GATEWAY, "credential_not_sendable", final=True
    ),
    gateway_errors.GatewayConfigReadOnly: ErrorResponse(
        HTTPStatus.FORBIDDEN, "gateway_config_read_only"
    ),
    gateway_errors.SecretNotForGateway: ErrorResponse(
        HTTPStatus.FORBIDDEN, "secret_not_for_gateway"
    ),
    # The caller sends too many requests. The error's own time takes the place of this one.
    domain.RateLimited: ErrorResponse(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", retry_after=1),
    # Not found.
    domain.SecretNotFound: ErrorResponse(HTTPStatus.NOT_FOUND, "secret_not_found"),
    versions.SecretVersionNotFound: ErrorResponse(HTTPStatus.NOT_FOUND, "secret_version_not_found"),
    domain.SecretsMissing: ErrorResponse(HTTPStatus.NOT_FOUND, "secrets_missing"),
    domain.InjectionNotFound: ErrorResponse(HTTPStatus.NOT_FOUND, "injection_not_found"),
    gateway_errors.GatewayConfigNotFound: ErrorResponse(
        HTTPStatus.NOT_FOUND, "gateway_config_not_found"
    ),
    gateway_errors.GatewayTokenNotFound: ErrorResponse(
        HTTPStatus.NOT_FOUND, "gateway_token_not_found"
    ),
    NotFound: ErrorResponse(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this path."),
    MethodNotAllowed: ErrorResponse(
        HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method."
    ),
    # A dependency fails.
    KeyProviderError: ErrorResponse(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys_unavailable",
        "The keys that this needs cannot be used at the moment.",
        retry_after=5,
    ),
    domain.StorageUnavailable: ErrorResponse(
        HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", retry_after=5
    ),
    domain.Moved: ErrorResponse(HTTPStatus.SERVICE_UNAVAILABLE, "moved", retry_after=5),
    domain.NotInitialised: ErrorResponse(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not_initialised",
        "The server is not set up yet.",
        retry_after=5,
    ),
    NotConnected: ErrorResponse(HTTPStatus.SERVICE_UNAVAILABLE, "not_connected", retry_after=5),
    gateways.GatewayStopped: ErrorResponse(
        HTTPStatus.SERVICE_UNAVAILABLE, "gateway_stopped", retry_after=60
    ),
    # The server is wrong, and knows how.
    domain.RowRefused: ErrorResponse(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"),
    # Stored data is damaged.
    DecryptionError: _UNREADABLE,
    domain.TamperedRow: _UNREADABLE,
}

_UNAUTHORIZED = domain.Unauthenticated | domain.InjectionRefused | gateways.GatewayKeyRefused

_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
"""The statuses of requests that the audit trail counts: credential, permission, rate."""

_WITH_TIMES = KeyUnavailable | domain.RateLimited | domain.StorageUnavailable
"""Errors that state their own time until a retry."""


def error_response(error: Exception) -> tuple[dict[str, str], int, dict[str, str]]:
    """Make the response to any exception, and log the exception if the fault is the server's."""
    found = domain.nearest(RESPONSES, error) or _INTERNAL
    request_id = context.request_id
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log_failure(error, request_id, foreseen=found is not _INTERNAL)
    context.error_code = found.code
    if found.status in _REFUSALS:
        _count(found.code)
    message = str(error) if found.message is None else found.message
    shown = {"code": found.code, "message": message, "request_id": request_id}
    return shown, found.status, _headers(found, error)


def _count(code: str) -> None:
    """Count a refused request, where this process has got its services."""
    services = context.get("services")
    if services is not None:
        services.audit.upkeep.refusals.count(request.endpoint or "unknown", code, client_address())


def _headers(found: ErrorResponse, error: Exception) -> dict[str, str]:
    headers = {}
    if isinstance(error, _UNAUTHORIZED):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if found.retry_after is not None:
        seconds = found.retry_after
        if isinstance(error, _WITH_TIMES):
            seconds = error.retry_after
        headers["Retry-After"] = str(seconds)
    if found.final:
        headers["x-should-retry"] = "false"
    return headers
