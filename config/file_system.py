"""Kinds of file systems: in memory, without modes, or over a network."""

import ctypes
import sys
from enum import IntEnum


class FileSystem(IntEnum):
    """The kinds that matter here, by their magic number on Linux: statfs(2)."""

    TMPFS = 0x01021994
    RAMFS = 0x858458F6
    OVERLAY = 0x794C7630
    FUSE = 0x65735546
    NFS = 0x6969
    SMB = 0x517B
    CIFS = 0xFF534D42
    SMB2 = 0xFE534D42
    V9FS = 0x01021997
    AFS = 0x5346414F
    CODA = 0x73757245
    CEPH = 0x00C36400
    LUSTRE = 0x0BD00BD0
    GPFS = 0x47504653
    VBOXSF = 0x786F4256
    FAT = 0x4D44
    EXFAT = 0x2011BAB0
    NTFS = 0x7366746E


WITHOUT_MODES = frozenset(
    {
        FileSystem.FAT,
        FileSystem.EXFAT,
        FileSystem.NTFS,
        FileSystem.VBOXSF,
        FileSystem.V9FS,
        FileSystem.SMB,
        FileSystem.CIFS,
        FileSystem.SMB2,
    }
)
"""Kinds that may give every file the same mode."""

IN_MEMORY = frozenset({FileSystem.TMPFS, FileSystem.RAMFS})

_STATFS_BYTES = 256  # more than any architecture's struct statfs
_TYPE_BYTES = 4


def file_system_of(descriptor: int) -> FileSystem | None:
    """Return the kind of file system of an open file; ``None`` if it is unknown or not listed."""
    if sys.platform != "linux":
        return None
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None, use_errno=True).fstatfs(descriptor, found) != 0:
        return None
    # The first field is f_type. Of eight bytes, little-endian machines store the low four first.
    number = int.from_bytes(found.raw[:_TYPE_BYTES], sys.byteorder)
    return FileSystem(number) if number in set(FileSystem) else None
