"""Reads files that hold keys or credentials; normally only such as nobody else can read."""

import os
import stat
from pathlib import Path

from backends.errors import KeyProviderConfigError

_LARGEST_FILE = 64 * 1024


def read_private_file(path: Path, setting: str, *, others_may_read: bool = False) -> bytes:
    """The bytes of a regular file, at most 64 KiB, that its owner alone may read.

    Args:
        path: The file; a link to it will do.
        setting: What names the file, for the message.
        others_may_read: For files whose mode is not ours to choose: what Kubernetes mounts.

    Raises:
        KeyProviderConfigError: It is missing, unreadable, too large, not a regular file or open to
            others. Names the setting, never the path.
    """
    try:
        # A named pipe without a writer must be refused by its mode, not waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            fault = _fault(os.fstat(file.fileno()), others_may_read=others_may_read)
            if fault is None:
                return file.read(_LARGEST_FILE)
    except (OSError, ValueError):
        fault = "cannot be read"
    raise KeyProviderConfigError(f"{setting}: the file {fault}.")


def _fault(found: os.stat_result, *, others_may_read: bool) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "must be a regular file"
    if found.st_mode & 0o077 and not others_may_read:
        return "must be of mode 0600"
    if found.st_size > _LARGEST_FILE:
        return "is larger than 64 KiB"
    return None
