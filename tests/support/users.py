"""Act as another user for a while, where the tests run as root."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

NOBODY = 65534


@contextmanager
def acting_as(uid: int, groups: Sequence[int] = ()) -> Iterator[None]:
    """Have the effective user and groups of somebody without privileges.

    Modules that are imported meanwhile must be readable for everybody: import them before.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    before = os.getgroups()
    os.setgroups([*groups])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)
