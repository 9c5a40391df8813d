"""Makes directories with the mode that is meant, whatever the umask is."""

import os
import stat
from pathlib import Path

_PRIVATE = 0o700
_PASSABLE = 0o755


def make_private_directory(path: Path) -> None:
    """Make a directory for our eyes only where there is none, and those above it that are missing.

    Raises:
        OSError: It cannot be made, or there is something else.
    """
    if path.is_dir():
        return
    missing = [each for each in path.parents if not os.path.lexists(each)]
    for each in reversed(missing):
        _make(each, _PASSABLE)
    _make(path, _PRIVATE)


def _make(path: Path, mode: int) -> None:
    """A umask may take rights of others; ours are put back."""
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(stat.S_IMODE(path.stat().st_mode) | _PRIVATE)


def kubernetes_way(found: os.stat_result) -> str:
    """What to set where Kubernetes gives a volume to the group of a pod, at each of its starts.

    Args:
        found: A file or directory that others than its owner may touch.
    """
    if not found.st_mode & stat.S_IRWXG or found.st_gid not in {*os.getgroups()} - {0}:
        return ""
    return (
        " (in Kubernetes: fsGroupChangePolicy: OnRootMismatch of the pod, and a directory below the"
        " volume's own as STRONGROOM_HOME)"
    )
