"""Starts our programs as processes of their own that need not import anything.

A server and a command spend nearly all of their start on imports, and the tests start hundreds. So
one process imports everything once, and forks each program: it has its own environment, session,
streams and signals, and ends with the exit code that a shell would see. The tests of the README, of
the pages and of environments start the programs as a user does.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_COMMANDS = ("account", "api_key", "backup", "check", "db", "init", "keyring")
_IMPORTED = (
    __name__,
    "app.cli.errors",
    "app.cli.main",
    "app.factory",
    "app.server.gunicorn_log",
    "app.server.worker",
    "backends.aws_kms.provider",
    "backends.vault_transit.provider",
    "gunicorn.app.wsgiapp",
    *(f"app.cli.commands.{each}" for each in _COMMANDS),
)
_GUNICORN = ("gunicorn.app.wsgiapp:run", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app")
_READ_EARLY = ("LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON")
"""The beginnings of variables that have no effect on a program that is forked."""


class Program:
    """A program of ours that was started; where tests look, it is like a ``Popen``."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process = process

    def wait(self, timeout: float) -> int:
        """Wait until it ends. Returns the exit code, or the negative number of a signal.

        Raises:
            subprocess.TimeoutExpired: It still runs after so many seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a program of ours", timeout)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)


def start_gunicorn(
    environment: Mapping[str, str], log: Path
) -> "Program | subprocess.Popen[bytes]":
    """Start gunicorn as shipped, in a session of its own; it appends to ``log``."""
    if not any(name.startswith(_READ_EARLY) for name in environment):
        return _start(_GUNICORN, environment, log, log)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", *_GUNICORN[1:]],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def start_command(
    arguments: Sequence[str], environment: Mapping[str, str], out: Path, errors: Path
) -> Program:
    """Start the command ``strongroom``; it appends to these files."""
    return _start(("app.cli.main:main", "strongroom", *arguments), environment, out, errors)


def _start(
    program: Sequence[str], environment: Mapping[str, str], out: Path, errors: Path
) -> Program:
    process = _forks().Process(
        target=_run, args=(program, dict(environment), out, errors), daemon=True
    )
    process.start()
    started = Program(process)
    wait_until(lambda: not process.is_alive() or os.getsid(started.pid) == started.pid)
    return started


@cache
def _forks() -> ForkServerContext:
    """The process that has imported everything. It ends after this one and all programs."""
    forks = get_context("forkserver")
    forks.set_forkserver_preload(list(_IMPORTED))
    return forks


def _run(program: Sequence[str], environment: Mapping[str, str], out: Path, errors: Path) -> None:
    """Become a program: an entry like ``module:function``, and its arguments."""
    os.setsid()
    os.chdir(_ROOT)
    os.environ.clear()  # noqa: TID251 - a program of its own
    os.environ.update(environment)  # noqa: TID251
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for stream, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, appending),
        (2, errors, appending),
    ):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, stream)
        os.close(opened)
    entry, *sys.argv = program
    module, _, function = entry.partition(":")
    try:
        sys.exit(getattr(import_module(module), function)())
    finally:
        atexit._run_exitfuncs()  # which a forked process leaves out
