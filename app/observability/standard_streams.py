"""Standard streams that are closed when a process starts, which /dev/null replaces."""

import os

_STANDARD_ERROR = 2


def keep_standard_streams() -> None:
    """Keep a database, key file or socket from taking the file descriptor of a closed stream.

    Whatever is printed would go there.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= _STANDARD_ERROR:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
