"""The gunicorn worker: what gunicorn itself refuses is answered in our JSON, without an echo.

Its own pages are HTML, or over HTTP/2 text, that repeats what was sent.
"""

import json
import logging
import select
import signal
import time
from dataclasses import dataclass
from http import HTTPStatus
from socket import socket
from typing import Any

from gunicorn.http import errors
from gunicorn.http2.errors import HTTP2ConnectionError, HTTP2ErrorCode, HTTP2StreamError
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from app.domain.ids import new_id

_LOG = logging.getLogger("strongroom.worker")

_HEAD_START_S = 0.0003  # for each connection held: longer than it takes to wake up
_LONGEST_HEAD_START_S = 0.002
_NEXT_REQUEST_MS = 2

_CLOSING_S = 12
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)

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

    def init_process(self) -> None:
        """Serve until the end, however that comes, then close the application.

        gunicorn kills a worker that takes longer than its grace. Requests get the part of it that
        closing does not need.
        """
        self.cfg.set("graceful_timeout", max(1, self.cfg.graceful_timeout - _CLOSING_S))
        try:
            super().init_process()
        finally:
            self._close_application()

    def _close_application(self) -> None:
        for number in _ENDINGS:  # closing takes a few seconds at most
            signal.signal(number, signal.SIG_IGN)
        application = getattr(self, "wsgi", None)
        if application is None:
            return
        try:
            application.close()
        except Exception as error:  # noqa: BLE001 - gunicorn would log its text
            _LOG.error("closing_failed", exc_info=error)

    def accept(self, listener: socket) -> None:
        """Accept a connection, unless a worker that holds fewer does so first.

        Whoever wakes first would otherwise take most of those that stay open, and work while
        another idles.
        """
        time.sleep(min(self.nr_conns * _HEAD_START_S, _LONGEST_HEAD_START_S))
        super().accept(listener)

    def handle(self, conn: Any) -> object:  # noqa: ANN401
        """Serve a request, and those that its client sends at once after the answer.

        The way back to the thread that waits for all connections, and from there to a serving one
        again, takes as long as reading a secret. There is a thread for each connection that stays.
        """
        reusable = super().handle(conn)
        while reusable is True and self._goes_on(conn):
            reusable = super().handle(conn)
        return reusable

    def _goes_on(self, conn: Any) -> bool:  # noqa: ANN401
        if not self.alive or self.nr_conns > self.cfg.threads:
            return False
        next_request = select.poll()
        next_request.register(conn.sock, select.POLLIN)
        return bool(next_request.poll(_NEXT_REQUEST_MS))

    def handle_error(self, req: object, client: socket, addr: object, exc: Exception) -> None:  # noqa: ARG002
        """Answer what never became a request, or failed outside the application."""
        refusal = _refuse(exc)
        try:
            write_nonblock(client, refusal.as_http1())
        except OSError:
            _LOG.debug("client_gone", extra={"request_id": refusal.request_id})

    def handle_http2_request(self, req: Any, conn: object, h2_conn: Any) -> None:  # noqa: ANN401
        """Answer what failed outside the application; malformed streams are reset by gunicorn."""
        try:
            super().handle_http2_request(req, conn, h2_conn)
        except (HTTP2ConnectionError, HTTP2StreamError):
            raise
        except Exception as error:  # noqa: BLE001 - gunicorn would send its text
            refusal = _refuse(error)
            stream = req.stream
            if stream.response_headers_sent:
                h2_conn.abort_stream(stream.stream_id, HTTP2ErrorCode.INTERNAL_ERROR)
            else:
                h2_conn.send_response(
                    stream.stream_id, refusal.status.value, refusal.headers, refusal.body
                )


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: HTTPStatus
    request_id: str
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("content-type", "application/json"),
            ("content-length", str(len(self.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-request-id", self.request_id),
        ]

    def as_http1(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


def _refuse(error: Exception) -> _Refusal:
    status = next(
        (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
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
    return _Refusal(status, request_id, json.dumps(shown).encode())
