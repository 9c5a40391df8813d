"""The home directory: made for its owner only, and worked on by one ``strongroom init`` at once."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.operations.system_errors import name_of
from config import SettingsError
from config.directories import make_private_directory, other_cause

_SETTING = "STRONGROOM_HOME"


@contextmanager
def claimed(home: Path) -> Iterator[None]:
    """Make the directory where there is none, and keep every other ``claimed`` waiting.

    Raises:
        SettingsError: It cannot be made, or others may look into it.
    """
    try:
        make_private_directory(home)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        fault = f"{_SETTING}: the directory cannot be made or read ({name_of(error)})."
        raise SettingsError([fault]) from None
    try:
        found = os.fstat(descriptor)
        if stat.S_IMODE(found.st_mode) & 0o077:
            cause = other_cause(home, found)
            raise SettingsError([f"{_SETTING}: the directory must be of mode 0700{cause}."])
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # some network file systems have none
        raise SettingsError([f"{_SETTING}: the file system has no locks (flock)."]) from None
