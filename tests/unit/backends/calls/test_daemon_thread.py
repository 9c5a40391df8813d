"""Work that hangs in a thread of its own keeps no process from ending."""

import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest

from backends.calls.daemon_thread import in_daemon_thread
from backends.errors import KeyUnavailable

HANGS = """
from threading import Event
from backends.calls.daemon_thread import in_daemon_thread
in_daemon_thread(Event().wait, "hangs")
"""


def fail() -> None:
    raise LookupError


def test_a_process_ends_while_its_work_hangs() -> None:
    subprocess.run([sys.executable, "-c", HANGS], timeout=60, check=True)


def test_its_result_is_told() -> None:
    assert in_daemon_thread(lambda: 1, "one").result(60) == 1


def test_what_it_raises_is_told() -> None:
    with pytest.raises(LookupError):
        in_daemon_thread(fail, "fails").result(60)


def test_what_it_raises_holds_on_to_nothing_of_ours() -> None:
    error = in_daemon_thread(fail, "fails").exception(60)
    assert error is not None
    assert error.__traceback__ is not None
    held = error.__traceback__.tb_frame.f_locals.values()
    assert not any(isinstance(each, Future) for each in held)


def test_a_machine_without_threads_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyUnavailable, match="thread"):
        in_daemon_thread(fail, "never")
