"""Programs that some tests need and a machine may not have."""

import os
import shutil

import pytest


def require(program: str) -> str:
    """The program's path.

    Without it the test is skipped; in ``.ci/run``, which installs what tests need, it fails.
    """
    found = shutil.which(program)
    if found:
        return found
    missing = f"this machine has no {program}"
    if "CI" in os.environ:  # noqa: TID251 - the switch of .ci/run
        pytest.fail(missing)
    pytest.skip(missing)
