"""The log: one record for each line on standard error, of the fields that are listed here.

A line is a JSON object, or a text for people in front of a terminal.

Nothing else of a record is written: no argument of a library's message, no text of an exception.
So a library cannot log a secret.
"""

import json
import logging
import logging.config
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from app.observability.log_queue import LogQueue
from app.observability.text_lines import text_line

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
    "secret_ids",
    "gateway_token_id",
    "gateway_config_id",
    "gateway_use_id",
    "detail",
    "exception",
    "frames",
    "dropped",
)

FIELDS = _ALWAYS + _GIVEN
"""The fields that a line may hold."""

_OURS = "strongroom"
_SERVER = "gunicorn.error"

Encode = Callable[[Mapping[str, object]], str]
"""Makes a line of the fields of a record."""

json_line: Encode = json.JSONEncoder(default=lambda other: type(other).__name__).encode

_queue: LogQueue | None = None
_encode: Encode = json_line

_LOG = logging.getLogger(_OURS)


def encoder(log_format: str, *, colour: bool) -> Encode:
    """Choose the format of the lines.

    Args:
        log_format: ``json``, ``text``, or ``auto`` for text on a terminal and JSON elsewhere.
        colour: Colours the text, on a terminal only.
    """
    on_terminal = sys.stderr.isatty()
    if log_format == "text" or (log_format == "auto" and on_terminal):
        return partial(text_line, colour=colour and on_terminal)
    return json_line


def configure(level: str, encode: Encode = json_line) -> None:
    """Set up logging to standard error.

    Args:
        level: Of our own loggers, by name. Libraries log at WARNING or above. gunicorn logs at
            INFO or above, since INFO is about its processes.
        encode: Formats the lines.
    """
    global _encode  # noqa: PLW0603 - as the loggers themselves are
    _encode = encode
    number = logging.getLevelNamesMapping()[level]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"listed": {"()": ListedFields}},
            "handlers": {"stderr": {"()": QueueHandler, "formatter": "listed", "level": number}},
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
    # Each of these would print a traceback or a record past the formatter.
    logging.raiseExceptions = False
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def is_for_people() -> bool:
    """Return True if the lines are texts, on a terminal."""
    return _encode is not json_line and sys.stderr.isatty()


def show(text: str) -> None:
    """Write a text among the lines, as it is."""
    _queue_of_stderr().put(text)


def dropped_lines() -> int:
    """Return the number of lines that this process has dropped."""
    return _queue_of_stderr().dropped_in_all


class ListedFields(logging.Formatter):
    """Formats the listed fields, and the class and frames of an exception.

    Every request passes here: a general JSON formatter takes twice its 10 microseconds.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one line."""
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "event": _event(record),
        }
        extra = record.__dict__
        line.update((name, extra[name]) for name in _GIVEN if extra.get(name) is not None)
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line |= {"exception": kind.__name__, "frames": frames_of(trace)}
        return _encode(line)


class QueueHandler(logging.Handler):
    """Queues lines for the thread that writes to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._queue = _queue_of_stderr()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line."""
        try:
            self._queue.put(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all lines are written, but not for a reader that has stalled."""
        self._queue.flush()


def frames_of(trace: TracebackType | None) -> list[str]:
    """Return the frames of a traceback, outermost first, without the exception's text."""
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


def _queue_of_stderr() -> LogQueue:
    """Return the one queue of this process: lines keep their order when logging is set up again."""
    global _queue  # noqa: PLW0603 - as the loggers themselves are
    if _queue is None or _queue.stream is not sys.stderr:
        _queue = LogQueue(sys.stderr, _dropped)
    return _queue


def _dropped(count: int) -> str:
    said = {"msg": "log_lines_dropped", "name": f"{_OURS}.logs", "dropped": count}
    level = {"levelname": "WARNING", "levelno": logging.WARNING}
    return ListedFields().format(logging.makeLogRecord(said | level))
