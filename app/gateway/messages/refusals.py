"""Refusals of the gateway, in a body that the clients of many vendors print.

The vendors' clients look for ``error.message`` (OpenAI, Anthropic, Google), ours for ``message``.
An upstream's own answer never has the header ``x-strongroom-gateway``.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from app.domain.ids import new_id

MARK = "x-strongroom-gateway"

_RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_CHALLENGES = ('Basic realm="strongroom"', 'Bearer realm="strongroom"')

REFUSALS: Mapping[str, tuple[HTTPStatus, str]] = {
    "bad_request": (HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1."),
    "ambiguous_token": (
        HTTPStatus.BAD_REQUEST,
        "The request holds more than one gateway token; send one.",
    ),
    "token_in_url": (
        HTTPStatus.BAD_REQUEST,
        "A gateway token must not stand in a URL; send it in a header, and make another one.",
    ),
    "upgrade_refused": (
        HTTPStatus.BAD_REQUEST,
        "The gateway upgrades a connection to WebSocket only, by a GET without a body.",
    ),
    "gateway_token_missing": (
        HTTPStatus.UNAUTHORIZED,
        "Send a gateway token where the API key would be, as Authorization: Bearer gws_...",
    ),
    "config_missing": (
        HTTPStatus.NOT_FOUND,
        "The URL must begin with the id of a gateway config, as in the url of the token.",
    ),
    "method_not_allowed": (
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The gateway carries no TRACE and no CONNECT.",
    ),
    "body_too_large": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is larger than the gateway carries.",
    ),
    "expectation_failed": (
        HTTPStatus.EXPECTATION_FAILED,
        "The only expectation that the gateway meets is 100-continue.",
    ),
    "rate_limited": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "This token has as many requests under way as it may.",
    ),
    "request_timed_out": (
        HTTPStatus.REQUEST_TIMEOUT,
        "The body of the request did not arrive in time.",
    ),
    "internal_error": (HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway failed; its log says why."),
    "credential_not_sendable": (
        HTTPStatus.BAD_GATEWAY,
        "The secret holds characters that no header can carry; store it without line ends.",
    ),
    "address_refused": (
        HTTPStatus.BAD_GATEWAY,
        "The upstream's name leads to an address that the gateway must not reach.",
    ),
    "upstream_unreachable": (
        HTTPStatus.BAD_GATEWAY,
        "The upstream cannot be reached, or broke off before it answered.",
    ),
    "upstream_untrusted": (
        HTTPStatus.BAD_GATEWAY,
        "The upstream's certificate is not valid for its name.",
    ),
    "encoded_answer": (
        HTTPStatus.BAD_GATEWAY,
        "The upstream compressed its answer although it was asked not to; it was not passed on.",
    ),
    "admission_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The gateway cannot ask whether to admit the request.",
    ),
    "gateway_busy": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The gateway carries as many requests as it may.",
    ),
    "upstream_timed_out": (
        HTTPStatus.GATEWAY_TIMEOUT,
        "The upstream did not answer in time.",
    ),
    "loop": (
        HTTPStatus.LOOP_DETECTED,
        "The request came through this gateway already: the config's endpoint leads back to it.",
    ),
}
"""The status and the message of each refusal of the gateway itself, by code."""


class Refusal(Exception):
    """A request that the gateway does not carry, or no further.

    Args:
        status: The status of the response.
        code: For programs.
        message: For people; it says what to change, and names no rule, origin or value.
        retry_after: Whole seconds until another try makes sense.
        request_id: Of the API's refusal, if it is one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.request_id = request_id or new_id("req")

    @classmethod
    def of(cls, code: str) -> "Refusal":
        """Return the refusal of this code."""
        status, message = REFUSALS[code]
        return cls(status, code, message, retry_after=1 if status in _RETRIED else None)


def refusal_response(refusal: Refusal) -> web.Response:
    """Make the response to a refused request. The connection ends after it."""
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "request_id": refusal.request_id,
        "error": {"type": refusal.code, "code": refusal.code, "message": refusal.message},
    }
    response = web.Response(
        status=refusal.status, text=json.dumps(body), content_type="application/json"
    )
    response.headers[MARK] = "refused"
    response.headers["x-should-retry"] = "true" if refusal.status in _RETRIED else "false"
    response.headers["x-request-id"] = refusal.request_id
    response.headers["Server"] = "strongroom"
    response.headers["Cache-Control"] = "no-store"
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        for challenge in _CHALLENGES:
            response.headers.add("WWW-Authenticate", challenge)
    response.force_close()
    return response
