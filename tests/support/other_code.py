"""Other versions of this code, each in a directory of its own, run by processes of their own."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("app", "backends", "config")
_ENTRY = "wsgi.py"
_OWN_CODE = """
import app, pathlib
assert pathlib.Path(app.__file__).is_relative_to(pathlib.Path.cwd())
"""


def code_of_commit(commit: str, directory: Path) -> Path:
    """Unpack the code of a commit."""
    command = ["git", "archive", commit, *_PACKAGES, _ENTRY]
    archive = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory, filter="data")
    return directory


def is_shallow() -> bool:
    """Return True if this checkout lacks older commits."""
    command = ["git", "rev-parse", "--is-shallow-repository"]
    said = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    return said.strip() == "true"


def code_at_hand(directory: Path) -> Path:
    """Copy the code of the working tree."""
    for package in _PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / package, directory / package, ignore=ignored)
    shutil.copy(_ROOT / _ENTRY, directory)
    return directory


def environment_of(code: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that runs this code."""
    path = os.pathsep.join([str(code), *filter(None, sys.path)])
    return {**environ, "PYTHONPATH": path}


def run_in(code: Path, script: str, environ: Mapping[str, str]) -> str:
    """Run a script with the code of a directory, and return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", _OWN_CODE + script],
        check=False,
        cwd=code,
        env=environment_of(code, environ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
