"""Standard streams that are closed when a process starts."""

import os

_STANDARD_ERROR = 2


def keep_standard_streams() -> None:
    """Let no database, key file or socket take the number of a closed stream.

    What is printed afterwards would go there.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= _STANDARD_ERROR:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
