"""Makes directories with an exact mode, independent of the umask."""

import os
import stat
from pathlib import Path

from config.file_system import WITHOUT_MODES, FileSystem, file_system_of

_PRIVATE = 0o700
_PASSABLE = 0o755
# Kubernetes gives a volume to the group of a pod at each of its starts.
_IN_A_POD = (
    " (in Kubernetes: fsGroupChangePolicy: OnRootMismatch of the pod, and a directory below the"
    " volume's own as STRONGROOM_HOME)"
)


def make_private_directory(path: Path) -> None:
    """Make a private directory and its missing parents, unless there is one.

    Raises:
        OSError: It cannot be made, or the path is no directory.
    """
    if path.is_dir():
        return
    missing = [each for each in path.parents if not os.path.lexists(each)]
    for each in reversed(missing):
        _make(each, _PASSABLE)
    _make(path, _PRIVATE)


def _make(path: Path, mode: int) -> None:
    """Make one directory. The umask may remove rights of others, but not of the owner."""
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(stat.S_IMODE(path.stat().st_mode) | _PRIVATE)


def other_cause(directory: Path, found: os.stat_result) -> str:
    """Explain why a mode may differ from what was set, and what helps. Empty if nothing is known.

    Args:
        directory: The directory itself, or the parent of the file.
        found: The result of stat(2) for a file or directory that is open to other users.
    """
    if _file_system(directory) in WITHOUT_MODES:
        return " (this file system may keep no modes; take another one)"
    if found.st_mode & stat.S_IRWXG and found.st_gid in {*os.getgroups()} - {0}:
        return _IN_A_POD
    return ""


def _file_system(directory: Path) -> FileSystem | None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        return file_system_of(descriptor)
    finally:
        os.close(descriptor)
