"""Writes files that only their owner may read. A file is whole or missing, even after a crash."""

import errno
import os
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # Linux: EPERM on FAT


class NoLinks(OSError):
    """The file system has no hard links, and so no modes either, like FAT."""


def create(path: Path, contents: bytes) -> bool:
    """Make the file. Returns False if the name exists already.

    Raises:
        NoLinks: The file system cannot keep the file private.
        OSError: The file cannot be made.
    """
    draft = _draft(path, contents)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise NoLinks from None
        raise
    finally:
        draft.unlink()
        _sync_directory(path.parent)
    return True


def drop_draft(path: Path) -> None:
    """Remove the draft of a process that was killed while it made the file, if possible."""
    with suppress(OSError):
        _draft_of(path).unlink(missing_ok=True)


def replace(path: Path, contents: bytes) -> None:
    """Make or replace the file.

    Raises:
        OSError: The file cannot be made.
    """
    _draft(path, contents).replace(path)
    _sync_directory(path.parent)


def _draft(path: Path, contents: bytes) -> Path:
    draft = _draft_of(path)
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        os.fchmod(file.fileno(), _MODE)  # the umask may have taken our own rights
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
