"""What the gunicorn configuration does in each worker."""

import subprocess
import sys

import pytest

_PR_GET_DUMPABLE = 3  # prctl(2)
_FORKED = f"""
import ctypes, runpy
runpy.run_path("config/gunicorn.py")["post_fork"](None, None)
raise SystemExit(ctypes.CDLL(None).prctl({_PR_GET_DUMPABLE}, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")
def test_a_worker_leaves_no_core_to_a_program_that_takes_cores() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKED], check=False, timeout=30)
    assert done.returncode == 0
