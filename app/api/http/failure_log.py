"""The log of the server's failures.

An unforeseen error is logged by its class and frames, since its text may repeat what was sent.
"""

import logging

from app.domain.errors import DomainError
from app.observability.logs import frames_of

_logger = logging.getLogger("strongroom.api")


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
