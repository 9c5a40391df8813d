"""Load by both official clients at once, and what became of each request."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runloop_api_client import Runloop, RunloopError

from tests.support.javascript import JavaScript
from tests.support.waiting import wait_until

_PYTHON_WRITERS = 2
_SECONDS = 120.0


class Load:
    """Secrets that both clients create all the time.

    Attributes:
        made: The names of those that the Python client made.
        failed: Requests that failed after the client's own retries.
    """

    def __init__(
        self, directory: Path, client: Runloop, javascript: JavaScript, environ: dict[str, str]
    ) -> None:
        self.made: list[str] = []
        self.failed: list[str] = []
        self._progress, self._stop = directory / "progress", directory / "stop"
        self._pool = ThreadPoolExecutor()
        files = (str(self._progress), str(self._stop))
        self._node = self._pool.submit(javascript.run, "load.mjs", *files, environ=environ)
        self._writers = [
            self._pool.submit(self._write, client, number) for number in range(_PYTHON_WRITERS)
        ]

    @property
    def made_by_javascript(self) -> list[str]:
        """The names of those that the JavaScript client made."""
        return self._progress.read_text().split() if self._progress.exists() else []

    def wait_for_more(self, count: int = 10) -> None:
        """Wait until each client has created so many more."""
        python, javascript = len(self.made), len(self.made_by_javascript)
        wait_until(
            lambda: (
                len(self.made) >= python + count
                and len(self.made_by_javascript) >= javascript + count
            ),
            _SECONDS,
        )

    def finish(self) -> None:
        """Let the last requests end."""
        if self._stop.exists():
            return
        self._stop.touch()
        for writer in self._writers:
            writer.result()
        self.failed += json.loads(self._node.result().stdout)
        self._pool.shutdown()

    def _write(self, client: Runloop, writer: int) -> None:
        number = 0
        while not self._stop.exists():
            name = f"PY_{writer}_{number}"
            number += 1
            try:
                client.secrets.create(name=name, value="a value")
                client.secrets.retrieve(name)
            except RunloopError as error:
                self.failed.append(f"{name}: {error}")
            else:
                self.made.append(name)
