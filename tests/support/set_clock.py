"""A wall clock that tests set, under a real server; the time since boot goes on."""

import subprocess
from pathlib import Path

from tests.support.programs import require

_SLEEP = "import select, time; time.sleep = lambda seconds: select.select([], [], [], seconds)"
"""Python sleeps until a moment of the monotonic clock, which libfaketime does not understand."""


class SetClock:
    """A wall clock that differs from ours by as many seconds as it is set to.

    Args:
        directory: For its files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "sitecustomize.py").write_text(_SLEEP)
        self(0)

    def __call__(self, seconds: int) -> None:
        """Set it; programs see it from now on."""
        written = self._directory / "new-offset"
        written.write_text(f"{seconds:+d}\n")
        written.replace(self._directory / "offset")

    def environment(self) -> dict[str, str]:
        """Return what a program needs to see this clock."""
        faketime = [require("faketime"), "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
        library = subprocess.run(faketime, capture_output=True, text=True, check=True).stdout
        return {
            "LD_PRELOAD": library.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._directory / "offset"),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self._directory),
        }
