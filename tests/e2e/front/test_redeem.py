"""``redeem.py`` under Python 3.9 against the shipped nginx, with our own certificate authority."""

import subprocess
from pathlib import Path

import pytest

from app.client import redeem
from tests.e2e.account import Account
from tests.e2e.front.conftest import Way
from tests.support.programs import python_3_9

pytestmark = pytest.mark.slow


def test_a_command_starts_with_the_value(account: Account, way: Way) -> None:
    account.create("GREETING", "hello")
    made = account.call("POST", "/v1/injections", {"secrets": {"HELLO": "GREETING"}}).json()
    script = str(Path(redeem.__file__))
    started = subprocess.run(
        [python_3_9(), *("-I", "-S", "-W", "error"), script, "--", "sh", "-c", "echo $HELLO"],
        env={
            **way.environment,
            "PATH": "/usr/bin:/bin",
            "STRONGROOM_INJECTION_TOKEN": made["token"],
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, started.stdout, started.stderr) == (0, "hello\n", "")
