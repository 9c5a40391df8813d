"""The operator's command beside the unit: the same settings, and nothing that is a client's."""

import os
import re
import subprocess
from pathlib import Path

import pytest

_CONFIG = Path(__file__).parents[3] / "config"
_SCRIPT = _CONFIG / "strongroom-operator"
_SETTING = re.compile(
    r'^(?:Environment=|export )"?(STRONGROOM_[A-Z_]+)="?([^"\n]*)"?$', re.MULTILINE
)


def test_it_has_the_settings_of_the_unit() -> None:
    unit = dict(_SETTING.findall((_CONFIG / "strongroom.service").read_text()))
    assert len(unit) > 3
    assert dict(_SETTING.findall(_SCRIPT.read_text())) == unit


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run it")
@pytest.mark.parametrize("command", ["run", "redeem", "secret", "token"])
def test_a_clients_command_is_refused(command: str) -> None:
    refused = subprocess.run(
        [_SCRIPT, command], check=False, capture_output=True, text=True, timeout=60, env={}
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{command} is a client's command" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become nobody")
def test_whoever_is_not_root_is_refused() -> None:
    with _SCRIPT.open() as script:
        refused = subprocess.run(
            ["sh", "-s", "check"],
            check=False,
            stdin=script,
            capture_output=True,
            text=True,
            timeout=60,
            user="nobody",
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "only root" in refused.stderr
