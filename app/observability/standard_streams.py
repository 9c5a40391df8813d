"""Standard streams that are closed when a process starts, which /dev/null replaces."""

import os
import sys
from pathlib import Path
from typing import TextIO

_STANDARD_ERROR = 2


def keep_standard_streams() -> None:
    """Keep a database, key file or socket from taking the file descriptor of a closed stream.

    Whatever is printed would go there.
    """
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= _STANDARD_ERROR:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)


def _nowhere() -> TextIO:
    """Open a stream in place of a closed one, which Python represents by None."""
    return Path(os.devnull).open("w", encoding="utf-8")
