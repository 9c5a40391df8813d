"""A file that appears under its name whole, or not at all."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from app.domain.errors import FileRefused
from app.domain.operations.system_errors import name_of
from app.repository.sqlite.disk.files import open_private

_MODE = 0o600
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # Linux: EPERM on FAT
_BESIDE = ("", "-journal", "-wal", "-shm", ".lock")


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Yield a draft to be written within, for its owner only; then give it its name.

    Raises:
        FileRefused: There is something of this name, or it cannot be made.
    """
    if os.path.lexists(file):
        raise FileRefused(f"{file.name}: there is a file of this name, and none is overwritten.")
    with named_errors(file), _draft(file.with_name(f".{file.name}.draft")) as draft:
        yield draft
        _give_name(draft, file)


@contextmanager
def _draft(draft: Path) -> Iterator[Path]:
    """An empty file that no other process takes for its own, gone afterwards."""
    descriptor = open_private(draft)
    try:
        _claim(descriptor, draft)
        try:
            yield draft
        finally:
            remove_all(draft)
            sync_directory(draft.parent)
    finally:
        os.close(descriptor)


def _claim(descriptor: int, draft: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_claimed = os.path.samestat(os.fstat(descriptor), draft.stat())
    except (BlockingIOError, FileNotFoundError):
        is_claimed = False
    if not is_claimed:
        raise FileRefused(f"{draft.name}: another command writes it at this moment.")
    os.fchmod(descriptor, _MODE)
    os.ftruncate(descriptor, 0)


def _give_name(draft: Path, file: Path) -> None:
    sync_file(draft)
    try:
        os.link(draft, file)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise FileRefused(
            f"{file.name}: this file system, as FAT on a USB stick, keeps no file for its owner"
            " alone. Make the file on another one, and copy it from there."
        ) from None
    sync_directory(file.parent)


@contextmanager
def named_errors(file: Path) -> Iterator[None]:
    """Turn what the system refuses into a refusal with the system's name of it.

    Raises:
        FileRefused: In place of any ``OSError``.
    """
    try:
        yield
    except OSError as error:
        name = name_of(error)
    else:
        return
    raise FileRefused(f"{file.name}: the file cannot be read or written ({name}).")


def name_beside(path: Path, purpose: str) -> Path:
    """A free name beside a database, of a purpose and the present moment."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (
        f"{path.name}.{purpose}-{stamp}{again}"
        for again in chain([""], map("-{}".format, count(2)))
    )
    free = (name for name in names if not os.path.lexists(path.with_name(name)))
    return path.with_name(next(free))


def remove_all(database: Path) -> None:
    """Remove a database file and what SQLite and we keep beside it."""
    for suffix in _BESIDE:
        database.with_name(f"{database.name}{suffix}").unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
