"""Reads files that hold keys or credentials, and only such as nobody else on the host can read."""

import os
import stat
from pathlib import Path

from backends.errors import KeyProviderConfigError

_LARGEST_FILE = 64 * 1024


def read_private_file(path: Path, setting: str) -> bytes:
    """The bytes of a regular file, at most 64 KiB, that its owner alone may read.

    Args:
        path: The file; a link to it will do.
        setting: What names the file, for the message.

    Raises:
        KeyProviderConfigError: It is missing, unreadable, too large, not a regular file or open to
            others. Names the setting, never the path.
    """
    try:
        # A named pipe without a writer must be refused by its mode, not waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST_FILE + 1) if stat.S_ISREG(mode) else b""
    except (OSError, ValueError):
        raise KeyProviderConfigError(f"{setting}: the file cannot be read.") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise KeyProviderConfigError(f"{setting}: the file must be a regular file of mode 0600.")
    if len(content) > _LARGEST_FILE:
        raise KeyProviderConfigError(f"{setting}: the file is larger than 64 KiB.")
    return content
