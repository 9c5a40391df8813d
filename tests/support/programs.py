"""Programs that some tests need and a machine may not have."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest


def require(program: str) -> str:
    """The program's path.

    Without it the test is skipped; in ``.ci/run``, which installs what tests need, it fails.
    """
    found = shutil.which(program)
    if found:
        return found
    return skip_for_want(f"this machine has no {program}")


def skip_for_want(reason: str) -> NoReturn:
    """Skip the test, or fail it in ``.ci/run``, which installs what tests need."""
    if "CI" in os.environ:  # noqa: TID251 - the switch of .ci/run
        pytest.fail(reason)
    pytest.skip(reason)


def python_3_9() -> str:
    """A Python 3.9 of this machine, be it one of pyenv that is not switched on.

    Without one the test is skipped.
    """
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")  # noqa: TID251
    for candidate in ["python3.9", *map(str, versions.glob("3.9.*/bin/python3.9"))]:
        try:
            subprocess.run([candidate, "-c", ""], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip("this machine has no python3.9 that starts")
