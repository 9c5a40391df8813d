"""What is logged of requests: one line each, of fields that no client chooses.

The line has the route's template, never the path, and a method only if HTTP defines it. Of an error
that we did not foresee it has the class and the frames, since its text may repeat what was sent.
"""

import logging
import time

from flask import Response, request

from app.api.http.context import exchange
from app.domain.errors import DomainError
from app.observability.logs import frames_of

_logger = logging.getLogger("strongroom.api")
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


def log_request(response: Response) -> Response:
    """One line for the request at hand and its answer."""
    done = exchange()
    caller = done.caller
    _logger.info(
        "request",
        extra={
            "route": None if request.url_rule is None else request.url_rule.rule,
            "method": request.method if request.method in _METHODS else None,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter_ns() - done.started_ns) / 1e6, 3),
            "request_id": done.request_id,
            "account_id": None if caller is None else caller.account_id,
            "api_key_id": None if caller is None else caller.api_key_id,
            "code": done.error_code,
        },
    )
    return response


def log_failure(error: BaseException, request_id: str | None, *, foreseen: bool) -> None:
    """A failure of ours.

    Args:
        foreseen: Whether the error is one of ours, whose text holds no input. Of any other, the
            log has the class and where it was raised.
    """
    if foreseen:
        known: dict[str, object] = {"detail": _detail(error)}
    else:
        known = {"frames": frames_of(error.__traceback__)}
    about = {"request_id": request_id, "exception": type(error).__name__}
    _logger.error("failure", extra=about | known)


def _detail(error: BaseException) -> str:
    return error.told if isinstance(error, DomainError) else str(error)
