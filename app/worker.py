"""The gunicorn worker: what gunicorn itself refuses is answered in our JSON, without an echo.

Its own pages are HTML that repeats what was sent.
"""

import json
import logging
from http import HTTPStatus
from socket import socket

from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

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


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads that serve HTTP/1.1 and HTTP/2."""

    def handle_error(self, req: object, client: socket, addr: object, exc: Exception) -> None:  # noqa: ARG002
        """Answer what never became a request, or failed outside the application."""
        status = next(
            (_STATUSES[kind] for kind in type(exc).__mro__ if kind in _STATUSES),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        request_id = new_id("req")
        _LOG.warning("request_refused", extra={"status": int(status), "request_id": request_id})
        try:
            write_nonblock(client, _response(status, request_id))
        except OSError:
            _LOG.debug("client_gone", extra={"request_id": request_id})


def _response(status: HTTPStatus, request_id: str) -> bytes:
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        code, message = "internal_error", "The server failed; its log says why."
    else:
        code, message = "bad_request", "The request could not be understood."
    body = json.dumps({"code": code, "message": message, "request_id": request_id})
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()
