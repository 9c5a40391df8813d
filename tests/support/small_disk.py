"""A disk of a few megabytes that can be filled up to the last page."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BYTES = 32 * 1024 * 1024


class SmallDisk:
    """A file system in memory of its own.

    Args:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @contextmanager
    def with_free(self, free: int) -> Iterator[None]:
        """Leave so many bytes for the time of a ``with`` block."""
        found = os.statvfs(self.path)
        filled = found.f_bavail * found.f_frsize - free
        with self._filler.open("wb") as filler:
            filler.write(b"x" * filled)
        try:
            yield
        finally:
            self._filler.unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount one. Without the right to mount the test is skipped, and says so."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_BYTES},mode=0700", "tmpfs", str(path)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
