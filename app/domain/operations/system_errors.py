"""The system's own names of its errors, as ``ENOSPC``: no path and no value is in them."""

import errno

DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Errors of the disk, which pass or are an operator's to mend: errno(3)."""


def name_of(error: OSError) -> str:
    """The name of an error of the system, or else its class."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
