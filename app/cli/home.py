"""The home directory: made for its owner only, and worked on by one ``strongroom init`` at once."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import SettingsError

_SETTING = "STRONGROOM_HOME"


@contextmanager
def claimed(home: Path) -> Iterator[None]:
    """Make the directory where there is none, and keep every other ``claimed`` waiting.

    Raises:
        SettingsError: It cannot be made, or others may look into it.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise SettingsError([f"{_SETTING}: the directory cannot be made or read."]) from None
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise SettingsError([f"{_SETTING}: the directory must be of mode 0700."])
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
