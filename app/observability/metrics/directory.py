"""The directory in which the workers of one server count, in files that they share by memory maps.

A server makes it when it starts, and holds a lock on it for as long as a process of it lives. So a
server that starts later can remove what one that was killed left behind.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the library finds the directory; it is read when that is imported."""

_PREFIX = "strongroom-metrics-"


class MetricsDirectory:
    """Makes the directory of this process once, however often its settings are read."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock: int | None = None

    def made(self, parent: str | Path) -> Path:
        """Return the directory; make it at the first call, and remove those that nobody uses.

        Args:
            parent: A directory in memory, if there is one.
        """
        if self._path is None:
            _remove_left_behind(Path(parent))
            self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = _locked(self._path)
        return self._path

    def keep_counts(self, live: Collection[int]) -> None:
        """Add up the counts of workers that ended, if there is a directory.

        Args:
            live: The workers that have not ended.
        """
        if self._path is not None:
            # The library is loaded only where something is counted, and after its variable is set.
            import_module("app.observability.metrics.files").add_up(self._path, live)

    def remove(self) -> None:
        """Remove the directory, when the server ends."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


def _remove_left_behind(parent: Path) -> None:
    for found in parent.glob(f"{_PREFIX}*"):
        lock = _locked(found)
        if lock is not None:
            shutil.rmtree(found, ignore_errors=True)
            os.close(lock)


def _locked(directory: Path) -> int | None:
    """Return a file descriptor with the lock on a directory of ours, ``None`` if another has it."""
    with suppress(OSError):
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(opened).st_uid != os.geteuid():
                raise PermissionError
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(opened)
            raise
        return opened
    return None


metrics_directory = MetricsDirectory()
"""The directory of this process and of those that it forks."""
