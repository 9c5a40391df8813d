"""The database's files: made for our eyes only, and refused when others may see them."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from app.domain.operations.measurements import DatabaseSize
from config.directories import make_private_directory, other_cause

SETTING = "STRONGROOM_DATABASE_URL"

ROOM_BYTES = 4 * 1024 * 1024
"""SQLite begins the log again after 1000 pages of 4 KiB."""

_FILE_MODE = 0o600
_OTHERS = 0o077


class UnsafeFiles(Exception):
    """The database is not there, or not ours alone; one sentence in words for an operator."""


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def create(path: Path) -> None:
    """Make the directory and an empty database file where there are none.

    Raises:
        UnsafeFiles: They are not ours alone.
        OSError: They cannot be made.
    """
    create_directory(path)
    if not os.path.lexists(path):  # closing it would free the locks that SQLite holds on it for us
        os.close(open_private(path))
    require_safe(path)


def create_directory(path: Path) -> None:
    """Make the directory of a database where there is none.

    Raises:
        UnsafeFiles: It is not ours alone.
        OSError: It cannot be made.
    """
    make_private_directory(path.parent)
    _refuse(_directory_faults(path))


def open_private(path: Path) -> int:
    """Open a file for writing, made where there is none; a link is not followed."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(file, _FILE_MODE)  # the umask may have taken our own rights
    return file


def require_room(path: Path) -> None:
    """Write as much as the log grows, and drop it: a small commit may fit where no other does.

    Raises:
        OSError: The disk does not take it.
    """
    draft = path.with_name(f".{path.name}.room")
    descriptor = open_private(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(descriptor)
    finally:
        draft.unlink(missing_ok=True)


def size_of(path: Path) -> DatabaseSize:
    """Measure a database and its log, and the room on their disk; 0 for what is not there."""
    room = os.statvfs(path.parent)
    size, log = (each.stat().st_size if each.exists() else 0 for each in (path, log_of(path)))
    return DatabaseSize(size, log, room.f_bavail * room.f_frsize)


def require_safe(path: Path) -> None:
    """Refuse a database that is not there, or not ours alone.

    Raises:
        UnsafeFiles: The first fault.
    """
    _refuse(faults(path))


def faults(path: Path) -> Iterator[str]:
    """Yield the faults of the database file and its directory, in words for an operator."""
    yield from _directory_faults(path)
    yield from _file_faults(path)


def _refuse(found: Iterator[str]) -> None:
    for fault in found:
        raise UnsafeFiles(fault)


def _directory_faults(path: Path) -> Iterator[str]:
    try:
        found = path.parent.stat()
    except OSError:
        yield f"{SETTING}: the database's directory cannot be read."
        return
    is_private = "a directory of mode 0700"
    yield from _faults(path, found, stat.S_ISDIR, "the database's directory", is_private)


def _file_faults(path: Path) -> Iterator[str]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        yield f"{SETTING}: the database does not exist; run: strongroom db upgrade"
        return
    except OSError:
        yield f"{SETTING}: the database cannot be read."
        return
    yield from _faults(path, found, stat.S_ISREG, "the database", "a regular file of mode 0600")


def _faults(
    path: Path,
    found: os.stat_result,
    is_right_kind: Callable[[int], bool],
    name: str,
    wanted: str,
) -> Iterator[str]:
    if not is_right_kind(found.st_mode) or found.st_mode & _OTHERS:
        # The database itself is not opened: closing it would free the locks that SQLite holds.
        yield f"{SETTING}: {name} must be {wanted}{other_cause(path.parent, found)}."
    if found.st_uid != os.geteuid():
        yield f"{SETTING}: {name} must belong to the user that Strongroom runs as."
