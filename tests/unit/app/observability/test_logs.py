"""The log holds listed fields only, whoever writes to it."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.observability.logs import FIELDS, configure, encoder

CANARY = "canary-10g5"
VENDORS = ("boto3", "botocore.parsers", "urllib3.connectionpool", "hvac", "sqlalchemy.engine", "h2")


class Log:
    """The output of ``configure``, in place of standard error."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        for handler in logging.getLogger().handlers:
            handler.flush()
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (only,) = self.lines
        return only


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """The log at DEBUG; afterwards all is as it was."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr("sys.unraisablehook", None)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    root = logging.getLogger()
    loggers = [root, logging.getLogger("strongroom"), logging.getLogger("gunicorn.error")]
    before = [(each, each.level, each.handlers[:], each.propagate) for each in loggers]
    configure("DEBUG")
    yield Log(stream)
    for each, level, handlers, propagate in before:
        each.setLevel(level)
        each.handlers[:] = handlers
        each.propagate = propagate


def fail() -> None:
    raise ValueError(CANARY)


def test_a_line_is_an_object_of_what_happened_when_and_where(log: Log) -> None:
    logging.getLogger("strongroom.api").info("request", extra={"status": 200})
    assert list(log.line) == ["timestamp", "level", "logger", "pid", "event", "status"]
    assert (log.line["level"], log.line["logger"]) == ("INFO", "strongroom.api")
    assert log.line["event"] == "request"


def test_a_field_that_is_not_listed_is_dropped(log: Log) -> None:
    logging.getLogger("strongroom.x").info("event", extra={"value": CANARY, "code": "kept"})
    assert log.line["code"] == "kept"
    assert log.line.keys() <= set(FIELDS)
    assert CANARY not in log.text


def test_the_arguments_of_a_message_are_dropped(log: Log) -> None:
    logging.getLogger("somebody").warning("went wrong: %s", CANARY)
    assert log.line["event"] == "went wrong: %s"


def test_a_message_that_is_no_text_is_told_by_its_class(log: Log) -> None:
    logging.getLogger("somebody").warning({"value": CANARY, "frames": CANARY})
    assert log.line.keys() == {"timestamp", "level", "logger", "pid", "event"}
    assert log.line["event"] == "dict"


def test_an_exception_is_told_by_its_class_and_frames(log: Log) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("somebody").exception("failed", stack_info=True)
    assert log.line["exception"] == "ValueError"
    assert log.line["frames"][-1].endswith(" fail")
    assert CANARY not in log.text


def test_an_exception_that_nobody_caught_is_told_the_same_way(log: Log) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert log.line["exception"] == "ValueError"
    assert CANARY not in log.text


def test_an_exception_that_nobody_could_catch_is_told_the_same_way(log: Log) -> None:
    class Fails:
        def __del__(self) -> None:
            fail()

    Fails()
    assert log.line["exception"] == "ValueError"
    assert CANARY not in log.text


def test_a_line_that_cannot_be_written_is_not_told_either(log: Log) -> None:
    class Unwritable:
        def __str__(self) -> str:
            raise ValueError(CANARY)

        __repr__ = __str__

    logging.getLogger("somebody").warning("event", extra={"detail": Unwritable()})
    assert CANARY not in log.text


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_library_is_not_heard_below_warning_even_at_debug(vendor: str, log: Log) -> None:
    logging.getLogger(vendor).info(CANARY)
    logging.getLogger(vendor).debug(CANARY)
    assert log.text == ""


def test_nothing_is_heard_where_only_the_critical_is(log: Log) -> None:
    configure("CRITICAL")
    for logger in (*VENDORS, "strongroom.api", "gunicorn.error"):
        logging.getLogger(logger).error("failed")
    assert log.text == ""


def test_our_own_loggers_are_heard_at_debug(log: Log) -> None:
    logging.getLogger("strongroom.worker").debug("client_gone")
    assert log.line["event"] == "client_gone"


def test_gunicorn_tells_what_its_processes_do_and_nothing_of_requests(log: Log) -> None:
    gunicorn = logging.getLogger("gunicorn.error")
    gunicorn.info("Listening at: %s", "http://127.0.0.1:8080")
    gunicorn.debug("%s", CANARY)
    gunicorn.error("Error handling request %s", CANARY)
    events = [line["event"] for line in log.lines]
    assert events == ["Listening at: http://127.0.0.1:8080", "Error handling request %s"]


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "log_format", "colour", "begins"),
    [
        (Terminal, "auto", True, "\x1b"),
        (Terminal, "auto", False, "2"),
        (Terminal, "json", True, "{"),
        (io.StringIO, "auto", True, "{"),
        (io.StringIO, "text", True, "2"),
    ],
)
def test_lines_are_for_people_on_a_terminal_unless_the_setting_says_otherwise(
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    stream: type[io.StringIO],
    log_format: str,
    colour: bool,
    begins: str,
) -> None:
    chosen = stream()
    monkeypatch.setattr("sys.stderr", chosen)
    configure("INFO", encoder(log_format, colour=colour))
    logging.getLogger("strongroom.x").info("event")
    logging.getLogger("gunicorn.error").info("Listening at: %s", "http://127.0.0.1:9")
    assert log.text == ""
    first, second = chosen.getvalue().splitlines()
    assert (first[0], second[0]) == (begins, begins)
    assert "Listening at: http://127.0.0.1:9" in second
