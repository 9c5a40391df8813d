"""Names of accounts, which are unique."""

from itertools import count
from os import getpid

_NUMBERS = count(1)


def new_label(kind: str) -> str:
    """A name that no other account of these tests has."""
    return f"{kind} {getpid()}-{next(_NUMBERS)}"
