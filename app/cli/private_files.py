"""Writes files that only their owner may read, whole or not at all, whenever the process dies."""

import os
from pathlib import Path

_MODE = 0o600


def create(path: Path, contents: bytes) -> bool:
    """Make the file unless there is something of this name; whether it was made.

    Raises:
        OSError: It cannot be made.
    """
    draft = _draft(path, contents)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
        _sync_directory(path.parent)
    return True


def replace(path: Path, contents: bytes) -> None:
    """Make the file, or put the new one in its place.

    Raises:
        OSError: It cannot be made.
    """
    _draft(path, contents).replace(path)
    _sync_directory(path.parent)


def _draft(path: Path, contents: bytes) -> Path:
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
