"""The real server, set up and started as ``make run`` does it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from tests.support import databases
from tests.support.databases import Rows
from tests.support.ports import free_port
from tests.support.preloaded import Program, start_command, start_gunicorn
from tests.support.ready_home import copy_ready_home
from tests.support.waiting import wait_until

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_LOG_SECONDS = 20.0


@dataclass(slots=True)
class Strongroom:
    """One deployment in a directory of its own, and the process group that serves it.

    Attributes:
        home: ``STRONGROOM_HOME``.
        environment: What the server and the command get; ``PATH`` and settings, nothing else.
        log: Everything that the server printed.
    """

    home: Path
    environment: dict[str, str]
    log: Path
    _process: "Program | subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its base URL, without a path."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def client_environment(self) -> dict[str, str]:
        """The variables of ``client.env``: RUNLOOP_BASE_URL and RUNLOOP_API_KEY."""
        lines = (self.home / "client.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    @property
    def api_key(self) -> str:
        """The API key of the first account."""
        return self.client_environment["RUNLOOP_API_KEY"]

    def rows(self) -> AbstractContextManager[Rows]:
        """The rows of its database, as somebody sees them who can write to it."""
        return databases.chosen.rows(self.home)

    def command(
        self, *arguments: str, check: bool = True, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command ``strongroom`` on this deployment, with further settings."""
        with TemporaryDirectory(prefix="strongroom-command-") as directory:
            out, errors = Path(directory, "out"), Path(directory, "errors")
            code = start_command(arguments, {**self.environment, **settings}, out, errors).wait(600)
            done = subprocess.CompletedProcess(
                ["strongroom", *arguments], code, out.read_text(), errors.read_text()
            )
        if check:
            done.check_returncode()
        return done

    def start(self, **settings: str) -> None:
        """Start gunicorn as shipped, and wait until it can serve."""
        self.launch(**settings)
        self.wait_until_ready()

    def launch(self, **settings: str) -> None:
        """Start gunicorn as shipped."""
        self._process = start_gunicorn({**self.environment, **settings}, self.log)

    def wait(self) -> int:
        """Wait until gunicorn ends. Returns its exit code."""
        assert self._process is not None
        return self._process.wait(_STOP_SECONDS)

    def wait_until_ready(self) -> None:
        """Wait until the server says that it can serve."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/readyz", timeout=1).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"the server did not start: {self.log.read_text()[-2000:]}")

    def log_lines(self) -> list[dict[str, Any]]:
        """The whole JSON lines of the log; the server may be in the middle of one more."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def logged(
        self, field: str, values: Collection[object], **others: object
    ) -> list[dict[str, Any]]:
        """The lines of the log that have these values in a field, once there is one for each.

        Args:
            others: What these lines hold in other fields.

        The server writes its log in a thread of its own, after it has answered.
        """
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            found = [
                line
                for line in self.log_lines()
                if line.get(field) in values and others.items() <= line.items()
            ]
            if {line[field] for line in found} >= set(values):
                return found
            assert time.monotonic() < deadline, "the log lacks some lines"
            time.sleep(0.02)

    def processes(self) -> list[int]:
        """Gunicorn's master and its workers, by number."""
        assert self._process is not None
        master = self._process.pid
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return [master, *map(int, workers)]

    def stop(self) -> None:
        """End it as a service manager does, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the whole process group at once."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to gunicorn's master."""
        assert self._process is not None
        self._process.send_signal(number)

    def workers(self) -> set[int]:
        """The processes that serve."""
        assert self._process is not None
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=", "-o", "ppid="], capture_output=True, text=True, check=True
        )
        pairs = (map(int, line.split()) for line in listed.stdout.splitlines())
        return {pid for pid, parent in pairs if parent == self._process.pid}

    def reload(self) -> None:
        """Make it read its settings again, and wait until every earlier worker has ended."""
        before = self.workers()
        self.send(signal.SIGHUP)
        wait_until(lambda: not self.workers() & before, _STOP_SECONDS)
        self.wait_until_ready()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if number is not signal.SIGKILL:
            process.send_signal(number)
            process.wait(_STOP_SECONDS)
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.wait(_STOP_SECONDS)
        # A worker that dies has its locks for some moments longer than its master lives.
        wait_until(lambda: _is_gone(process.pid))


def _is_gone(group: int) -> bool:
    """Return True if no process of the group lives. A zombie counts as gone: it has no lock."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pgid=", "-o", "stat="], capture_output=True, text=True, check=True
    )
    return not any(
        int(number) == group and not state.startswith("Z")
        for number, state in map(str.split, listed.stdout.splitlines())
    )


@contextmanager
def running(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Strongroom]:
    """A server in a new directory, set up by ``strongroom init``, until the block ends."""
    server = prepared(directory, settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()


_OF_A_HOME = ("STRONGROOM_KEYS", "STRONGROOM_ESCROW", "STRONGROOM_BIND")
"""The beginnings of the settings that ``init`` follows, with their ``_FILE`` variants."""


def prepared(directory: Path, settings: Mapping[str, str] | None = None) -> Strongroom:
    """The same, set up and not started.

    Under a key file it is a copy of a deployment that was set up once.
    """
    home = directory / "home"
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - git and shells of the machine
        "STRONGROOM_HOME": str(home),
        "PORT": str(free_port()),
        **databases.chosen.settings(home),
        **(settings or {}),
    }
    server = Strongroom(home, environment, directory / "server.log")
    if any(name.startswith(_OF_A_HOME) for name in environment):
        server.command("init")
    else:
        copy_ready_home(home, server.url)
    return server
