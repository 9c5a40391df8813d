"""Checks that SQLite's log and locks work on the database's file system."""

import fcntl
import os
from pathlib import Path

from app.domain.operations.findings import Findings
from app.repository.sqlite.disk.files import SETTING
from config.file_system import IN_MEMORY, FileSystem, file_system_of

_MIB = 1 << 20
_LITTLE_BYTES = 100 * _MIB

# The log needs memory that all processes of one machine share: https://www.sqlite.org/wal.html.
_OF_A_NETWORK = frozenset(
    {
        FileSystem.NFS,
        FileSystem.SMB,
        FileSystem.CIFS,
        FileSystem.SMB2,
        FileSystem.AFS,
        FileSystem.CODA,
    }
)
_OF_MANY_MACHINES = frozenset(
    {FileSystem.CEPH, FileSystem.LUSTRE, FileSystem.GPFS, FileSystem.V9FS, FileSystem.VBOXSF}
)


def look_at_place(path: Path) -> Findings:
    """Look at the file system of the database at ``path``."""
    findings = Findings()
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return findings  # the look at its files says so
    try:
        _look_at_kind(file_system_of(directory), findings)
        _look_at_locks(directory, findings)
        _look_at_room(os.fstatvfs(directory), findings)
    finally:
        os.close(directory)
    return findings


def _look_at_kind(kind: FileSystem | None, findings: Findings) -> None:
    if kind in _OF_A_NETWORK:
        findings.refuse(
            f"{SETTING}: the database is on a network file system ({kind.name}), where the log of "
            "SQLite does not work; put it on a disk of this machine."
        )
    elif kind in _OF_MANY_MACHINES or kind is FileSystem.FUSE:
        findings.warn(
            f"{SETTING}: the database is on {kind.name}; only processes of this machine may use it."
        )
    elif kind is FileSystem.OVERLAY:
        findings.warn(
            f"{SETTING}: the database is in the container's own layer, and gone with it; mount a "
            "volume there."
        )
    elif kind in IN_MEMORY:
        findings.warn(f"{SETTING}: the database is in memory, and gone when the machine stops.")


def _look_at_locks(directory: int, findings: Findings) -> None:
    try:
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # strongroom init works there
        return
    except OSError:
        findings.refuse(f"{SETTING}: the file system of the database has no locks (flock).")
    else:
        fcntl.flock(directory, fcntl.LOCK_UN)


def _look_at_room(found: os.statvfs_result, findings: Findings) -> None:
    free = found.f_bavail * found.f_frsize
    findings.saw("room for the database", f"{free // _MIB} MiB")
    if free < _LITTLE_BYTES:
        findings.warn(f"{SETTING}: the disk of the database has {free // _MIB} MiB left.")
    if found.f_files and not found.f_favail:
        findings.refuse(f"{SETTING}: the disk of the database can take no further file.")
