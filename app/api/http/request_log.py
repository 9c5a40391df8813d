"""The request log: one line for each request, of fields that no client chooses.

A line holds the route's template, never the path, and a method only if HTTP defines it. An
unforeseen error is logged by its class and frames, since its text may repeat what was sent.
"""

import logging
import time

from flask import Response, request

from app.api.http.context import context
from app.domain.access.api_keys import Caller
from app.domain.errors import DomainError
from app.observability.logs import frames_of

_logger = logging.getLogger("strongroom.api")
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


def log_request(response: Response) -> Response:
    """Log the current request and its response."""
    caller: Caller | None = context.get("caller")
    _logger.info(
        "request",
        extra={
            "route": None if request.url_rule is None else request.url_rule.rule,
            "method": request.method if request.method in _METHODS else None,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter_ns() - context.started_ns) / 1e6, 3),
            "request_id": context.request_id,
            "account_id": None if caller is None else caller.account_id,
            "api_key_id": None if caller is None else caller.api_key_id,
            "code": context.error_code,
        },
    )
    return response


def log_failure(error: BaseException, request_id: str | None, *, foreseen: bool) -> None:
    """Log a failure of the server.

    Args:
        foreseen: The error is one of ours, and its text holds no input. Any other is logged by its
            class and frames only.
    """
    if foreseen:
        known: dict[str, object] = {"detail": _detail(error)}
    else:
        known = {"frames": frames_of(error.__traceback__)}
    about = {"request_id": request_id, "exception": type(error).__name__}
    _logger.error("failure", extra=about | known)


def _detail(error: BaseException) -> str:
    return error.operator_message if isinstance(error, DomainError) else str(error)
