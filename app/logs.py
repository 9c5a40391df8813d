"""The log: one JSON object a line on standard error, of fields that are listed here.

Nothing else of a record is written, whoever logs it: no argument of a library's message, no text of
an exception. So what a library thinks worth telling at DEBUG stays inside.
"""

import json
import logging
import logging.config
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType

_ALWAYS = ("timestamp", "level", "logger", "pid", "event")
_GIVEN = (
    "route",
    "method",
    "status",
    "code",
    "duration_ms",
    "request_id",
    "account_id",
    "api_key_id",
    "injection_id",
    "detail",
    "exception",
    "frames",
)

FIELDS = _ALWAYS + _GIVEN
"""All that a line may hold."""

_OURS = "strongroom"
_SERVER = "gunicorn.error"

_JSON = json.JSONEncoder(default=lambda other: type(other).__name__)
_LOG = logging.getLogger(_OURS)


def configure(level: str) -> None:
    """Log to standard error from now on.

    Args:
        level: Of our own loggers, by name. Libraries are heard from WARNING on at most; gunicorn,
            which tells at INFO what its processes do, from INFO on at most.
    """
    number = logging.getLevelNamesMapping()[level]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": ListedFields}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"level": max(number, logging.WARNING), "handlers": ["stderr"]},
            "loggers": {
                _OURS: {"level": number},
                _SERVER: {
                    "level": max(number, logging.INFO),
                    "propagate": True,
                    "handlers": [],
                },
            },
        }
    )
    # What would print a traceback, or the record that could not be written, past the formatter.
    logging.raiseExceptions = False
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


class ListedFields(logging.Formatter):
    """Formats the fields that are listed, and of an exception its class and frames.

    Every request passes here: a general JSON formatter takes twice its 10 microseconds.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "event": _event(record),
        }
        held = record.__dict__
        line.update((name, held[name]) for name in _GIVEN if held.get(name) is not None)
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line |= {"exception": kind.__name__, "frames": frames_of(trace)}
        return _JSON.encode(line)


def frames_of(trace: TracebackType | None) -> list[str]:
    """Where an exception came through, outermost first, without what it said."""
    return [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]


def _event(record: logging.LogRecord) -> str:
    # gunicorn's messages at INFO are about its own processes and addresses: no client is in them.
    if record.name == _SERVER and record.levelno == logging.INFO:
        return record.getMessage()
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def _log_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        _LOG.error("thread_failed", exc_info=failed.exc_value)


def _log_unraisable(failed: "sys.UnraisableHookArgs") -> None:
    if failed.exc_value is not None:
        _LOG.error("unraisable", exc_info=failed.exc_value)
