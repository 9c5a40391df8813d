"""``strongroom run --watch`` against the real server, by the official ways to change a secret."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.account import Account

pytestmark = pytest.mark.slow

CHANGED = "strongroom run: GREETING changed: the command is started again\n"
DELETED = "strongroom run: GREETING was deleted: the command goes on with its value\n"


def test_a_command_gets_each_new_value_of_its_secret(account: Account) -> None:
    assert account.create("GREETING", "first").ok
    assert account.create("OTHER", "unused").ok
    script = "echo got $GREETING; exec sleep 1000"
    options = ["--watch", "--watch-interval", "1", "--mask", "--secret", "GREETING"]
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251
        "RUNLOOP_BASE_URL": account.url,
        "RUNLOOP_API_KEY": account.token,
    }
    with subprocess.Popen(
        [
            str(Path(sys.executable).parent / "strongroom"),
            "run",
            *options,
            "--",
            "sh",
            "-c",
            script,
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as ours:
        assert ours.stdout is not None
        assert ours.stderr is not None
        try:
            assert ours.stdout.readline() == "got [masked]\n"
            assert account.call("POST", "/v1/secrets/OTHER", {"value": "changed"}).ok
            assert account.call("POST", "/v1/secrets/GREETING/delete", {}).ok
            assert ours.stderr.readline() == DELETED
            assert account.create("GREETING", "second").ok
            assert ours.stderr.readline() == CHANGED
            assert ours.stdout.readline() == "got [masked]\n"
            ours.terminate()
            assert ours.wait(60) == -signal.SIGTERM
        finally:
            ours.kill()
    injections = account.call("GET", "/v1/injections").json()["injections"]
    assert [each["status"] for each in injections] == ["redeemed", "redeemed"]
