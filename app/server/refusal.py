"""JSON responses to malformed requests, and to failures outside the application.

gunicorn's own responses are HTML, or text over HTTP/2, and repeat what was sent.
"""

import json
import logging
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors

from app.domain.errors import nearest
from app.domain.ids import new_id

_LOG = logging.getLogger("strongroom.worker")

_STATUSES: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that the application did not make."""

    status: HTTPStatus
    request_id: str
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers, with names in lower case as HTTP/2 requires."""
        return [
            ("content-type", "application/json"),
            ("content-length", str(len(self.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-request-id", self.request_id),
        ]

    def as_http1(self) -> bytes:
        """Encode the whole response, after which the connection is closed."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


def refuse(error: Exception) -> Refusal:
    """Make the response to ``error``, and log it."""
    status = nearest(_STATUSES, error) or HTTPStatus.INTERNAL_SERVER_ERROR
    failed = status is HTTPStatus.INTERNAL_SERVER_ERROR
    code, message = (
        ("internal_error", "The server failed; its log says why.")
        if failed
        else ("bad_request", "The request could not be understood.")
    )
    request_id = new_id("req")
    about = {"status": status.value, "code": code, "request_id": request_id}
    _LOG.warning("request_refused", extra=about, exc_info=error if failed else None)
    shown = {"code": code, "message": message, "request_id": request_id}
    return Refusal(status, request_id, json.dumps(shown).encode())
