"""The log: one JSON object a line on standard error, of fields that are listed here.

Nothing else of a record is written, whoever logs it: no argument of a library's message, no text of
an exception. So what a library thinks worth telling at DEBUG stays inside.
"""

import logging
import logging.config
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

FIELDS = (
    "timestamp",
    "level",
    "logger",
    "pid",
    "event",
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
"""All that a line may hold."""

_RENAMED = {"levelname": "level", "name": "logger", "process": "pid", "message": "event"}
_OURS = "strongroom"
_SERVER = "gunicorn.error"

_LOG = logging.getLogger(_OURS)


def configure(level: str) -> None:
    """Log to standard error from now on.

    Args:
        level: Of our own loggers, by name. Libraries are heard from WARNING on, whatever it is;
            gunicorn, which tells at INFO what its processes do, from INFO on.
    """
    server_level = max(logging.getLevelNamesMapping()[level], logging.INFO)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": ListedFields}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                _OURS: {"level": level},
                _SERVER: {"level": server_level, "propagate": True, "handlers": []},
            },
        }
    )
    # What would print a traceback, or the record that could not be written, past the formatter.
    logging.raiseExceptions = False
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


class ListedFields(JsonFormatter):
    """Formats the fields that are listed, and of an exception its class and frames."""

    def __init__(self) -> None:
        super().__init__([*_RENAMED], rename_fields=_RENAMED, timestamp=True)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return super().format(_without_input(record))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Keep what is listed."""
        return {name: log_data[name] for name in FIELDS if log_data.get(name) is not None}


def frames_of(trace: TracebackType | None) -> list[str]:
    """Where an exception came through, outermost first, without what it said."""
    return [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]


def _without_input(record: logging.LogRecord) -> logging.LogRecord:
    attributes = record.__dict__ | {"args": None, "exc_info": None, "exc_text": None}
    attributes |= {"msg": _event(record), "stack_info": None}
    if record.exc_info and record.exc_info[0] is not None:
        kind, _, trace = record.exc_info
        attributes |= {"exception": kind.__name__, "frames": frames_of(trace)}
    return logging.makeLogRecord(attributes)


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
