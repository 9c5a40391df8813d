"""The official JavaScript client, and what the vendor's command makes of it, in Node.js."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.programs import require

_SOURCES = Path(__file__).parents[1] / "e2e" / "javascript"
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class JavaScript:
    """Both versions of the client, installed into a new directory."""

    def __init__(self, directory: Path) -> None:
        self._node = require("node")
        self._directory = directory / "javascript"
        shutil.copytree(_SOURCES, self._directory)
        subprocess.run([require("npm"), *_INSTALL], cwd=self._directory, check=True, timeout=240)

    def run(
        self,
        script: str,
        *arguments: str,
        environ: Mapping[str, str],
        preload: str | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts.

        Args:
            preload: A script that runs before.
        """
        first = [] if preload is None else ["--require", f"./{preload}"]
        return subprocess.run(
            [self._node, *first, script, *arguments],
            cwd=self._directory,
            env=os.environ | environ,  # noqa: TID251 - node's own
            input=stdin,
            check=check,
            timeout=120,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self, script: str, *arguments: str, environ: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        """Start one of the scripts, which runs until its standard input is closed."""
        return subprocess.Popen(
            [self._node, script, *arguments],
            cwd=self._directory,
            env=os.environ | environ,  # noqa: TID251 - node's own
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
