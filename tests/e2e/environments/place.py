"""Sets a deployment up, checks and serves it where something of the machine is out of the way."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import databases
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.ready_home import copy_ready_home

ROOT = Path(__file__).parents[3]
NO_NAME = 12345
"""A user without an entry in the list of users, as OpenShift makes them up."""

# May enter where this Python is, and still writes nowhere but where it should.
AS_NOBODY = (
    f"setpriv --reuid={NO_NAME} --regid={NO_NAME} --clear-groups"
    " --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)

_SERVE = """
cd "$ROOT"
[ "$IS_MADE" ] || strongroom init >"$OUT/init" 2>&1; echo $? >"$OUT/init.code"
strongroom check --json >"$OUT/check" 2>"$OUT/check.err"; echo $? >"$OUT/check.code"
[ "$SERVES" ] || exit 0
gunicorn -c config/gunicorn.py wsgi:app >"$OUT/log" 2>&1 &
server=$!
python -m tests.e2e.environments.waiting >"$OUT/ready" 2>"$OUT/waiting"
sh -c "$THEN"
kill $server; wait $server; echo $? >"$OUT/server.code"
"""


@dataclass(frozen=True)
class Outcome:
    """The outcome.

    Attributes:
        check: What ``check --json`` answered.
        ready: What ``/readyz`` answered.
    """

    init_code: int
    init: str
    check_code: int
    check: Any
    ready: Any
    log: str


class Place:
    """A directory of a user's own, and a port."""

    def __init__(self, directory: Path, user: int) -> None:
        self.port = free_port()
        self.home = directory / "home"
        self.directory = directory
        self._out = directory / "out"
        self._out.mkdir(mode=0o777)
        self._out.chmod(0o777)
        self._user = user
        os.chown(directory, user, user)

    def check(self, **place: Any) -> Outcome:
        """Run check as ``run`` does, on a deployment that was made elsewhere."""
        if not self.home.exists():
            copy_ready_home(self.home)
            for each in (self.home, *self.home.iterdir()):
                os.chown(each, self._user, self._user)
        return self.run(serve=False, is_made=True, **place)

    def run(
        self,
        *,
        inside: str = "",
        user: str = "",
        wrap: str = "",
        then: str = "",
        serve: bool = True,
        is_made: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run init, check and the server.

        Args:
            inside: Shell commands of root's in a new mount namespace, before anything else.
            user: A command that becomes another user.
            wrap: Shell commands of that user's.
            then: What that user does while the server runs.
            serve: Whether the server is started.
            is_made: Whether init has been run.
            environ: More variables; there are few others, not even HOME.
        """
        script = f'{inside}\nexec {user} sh -c "$WRAP\n$SERVE"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script],
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(ROOT),
                "ROOT": str(ROOT),
                "OUT": str(self._out),
                "WRAP": wrap,
                "THEN": then,
                "SERVE": _SERVE,
                "SERVES": "1" if serve else "",
                "IS_MADE": "1" if is_made else "",
                "PLACE": str(self.directory),
                "STRONGROOM_HOME": str(self.home),
                "PORT": str(self.port),
                **databases.chosen.settings(self.home),
                **(environ or {}),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return self._outcome()

    def _outcome(self) -> Outcome:
        return Outcome(
            int(self._read("init.code")),
            self._read("init"),
            int(self._read("check.code")),
            json.loads(self._read("check") or "null"),
            json.loads(self._read("ready") or "null"),
            self._read("log"),
        )

    def _read(self, name: str) -> str:
        file = self._out / name
        return file.read_text() if file.exists() else ""


def require_namespaces() -> None:
    """Skip the test where this user can make none, or not become another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount and become another user")
    tried = [require("unshare"), "--mount", require("setpriv"), "--clear-groups", "true"]
    if subprocess.run(tried, check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no mount namespaces")
