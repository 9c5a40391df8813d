"""Core files: whether this machine writes them, and which there are."""

import signal
import subprocess
from pathlib import Path

import pytest

WANTED = "ulimit -c unlimited; "
"""For a shell: every process that it starts may leave a core file."""


def require_core_files(place: Path) -> None:
    """Skip the test unless an ordinary process that crashes in ``place`` leaves a core file."""
    crashed = subprocess.run(["sh", "-c", f"{WANTED}kill -ABRT $$"], cwd=place, check=False)
    if crashed.returncode != -signal.SIGABRT or not core_files(place):
        pytest.skip("this machine writes no core files into the working directory")
    for core in core_files(place):
        core.unlink()


def core_files(place: Path) -> list[Path]:
    return list(place.glob("core*"))
