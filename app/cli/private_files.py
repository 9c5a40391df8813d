"""Writes files that only their owner may read, whole or not at all, whenever the process dies."""

import errno
import os
from contextlib import suppress
from pathlib import Path

_MODE = 0o600
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # Linux: EPERM on FAT


class NoLinks(OSError):
    """The file system has no links, and so no modes either, as FAT."""


def create(path: Path, contents: bytes) -> bool:
    """Make the file unless there is something of this name; whether it was made.

    Raises:
        NoLinks: Its file system cannot hold it as it must be held.
        OSError: It cannot be made.
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
    """Remove what a process left that was killed while it made the file, if that is possible."""
    with suppress(OSError):
        _draft_of(path).unlink(missing_ok=True)


def replace(path: Path, contents: bytes) -> None:
    """Make the file, or put the new one in its place.

    Raises:
        OSError: It cannot be made.
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
