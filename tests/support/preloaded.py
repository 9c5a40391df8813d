"""Starts our programs as processes of their own that need not import anything.

A server and a command spend nearly all of their start on imports, and the tests start hundreds. So
one process imports everything once, and forks each program: it has its own environment, session,
streams and signals, and ends with the exit code that a shell would see. The tests of the README, of
the pages and of environments start the programs as a user does, as do some of each command.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_COMMANDS = ("account", "api_key", "backup", "check", "db", "init", "keyring")
_SECRET_COMMANDS = (
    "delete_secrets",
    "export_values",
    "get_secret",
    "import_file",
    "list_secrets",
    "set_value",
)
_IMPORTED = (
    __name__,
    "app.cli.errors",
    "app.cli.main",
    "app.client.issue_token",
    "app.client.run",
    "app.factory",
    "app.server.gunicorn_log",
    "app.server.worker",
    "backends.aws_kms.provider",
    "backends.vault_transit.provider",
    "gunicorn.app.wsgiapp",
    *(f"app.cli.commands.{each}" for each in _COMMANDS),
    *(f"app.client.secret.{each}" for each in _SECRET_COMMANDS),
)
_GUNICORN = ("gunicorn.app.wsgiapp:run", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app")
_COMMAND = ("app.cli.main:main", "strongroom")
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
        return _start_beside(_GUNICORN, environment, log, log)
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
    return _start_beside((*_COMMAND, *arguments), environment, out, errors)


def run_command(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    given: bytes = b"",
    seconds: float = 60.0,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command ``strongroom`` with pipes for its streams, as ``subprocess.run`` does."""
    (stdin, giving), (printed, stdout), (told, stderr) = (
        _forks().Pipe(duplex=False) for _ in range(3)
    )
    program = _start((*_COMMAND, *arguments), environment, directory, (stdin, stdout, stderr))
    with ThreadPoolExecutor(3) as pool:
        pool.submit(_give, giving, given)
        out, errors = pool.submit(_all_of, printed), pool.submit(_all_of, told)
        try:
            code = program.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(
        ["strongroom", *arguments], code, out.result(), errors.result()
    )


def _give(pipe: Connection, given: bytes) -> None:
    with pipe, suppress(BrokenPipeError), open(pipe.fileno(), "wb", closefd=False) as stream:
        stream.write(given)


def _all_of(pipe: Connection) -> bytes:
    with pipe, open(pipe.fileno(), "rb", closefd=False) as stream:
        return stream.read()


def _start_beside(
    program: Sequence[str], environment: Mapping[str, str], out: Path, errors: Path
) -> Program:
    """Start a program that reads nothing and appends to these files."""
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    streams = (
        Connection(os.open(os.devnull, os.O_RDONLY)),
        Connection(os.open(out, appending, 0o666)),
        Connection(os.open(errors, appending, 0o666)),
    )
    return _start(program, environment, _ROOT, streams)


def _start(
    program: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    streams: Sequence[Connection],
) -> Program:
    process = _forks().Process(
        target=_run, args=(program, dict(environment), directory, streams), daemon=True
    )
    process.start()
    for stream in streams:
        stream.close()
    started = Program(process)
    wait_until(lambda: not process.is_alive() or os.getsid(started.pid) == started.pid)
    return started


@cache
def _forks() -> ForkServerContext:
    """The process that has imported everything. It ends after this one and all programs."""
    forks = get_context("forkserver")
    forks.set_forkserver_preload(list(_IMPORTED))
    return forks


def _run(
    program: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    streams: Sequence[Connection],
) -> None:
    """Become a program: an entry like ``module:function``, and its arguments."""
    os.setsid()
    os.chdir(directory)
    os.environ.clear()  # noqa: TID251 - a program of its own
    os.environ.update(environment)  # noqa: TID251
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    _open_standard_streams()
    entry, *sys.argv = program
    module, _, function = entry.partition(":")
    try:
        sys.exit(getattr(import_module(module), function)())
    finally:
        atexit._run_exitfuncs()  # which a forked process leaves out


def _open_standard_streams() -> None:
    """Open them as Python does for a program that starts in the locale C.UTF-8."""
    opened = partial(open, encoding="utf-8", closefd=False)
    sys.stdin = opened(0, errors="surrogateescape")
    sys.stdout = opened(1, "w", errors="surrogateescape")
    sys.stderr = opened(2, "w", errors="backslashreplace", buffering=1)
