"""``docs/keys/local-fernet.md``: the key of a server that serves is rotated as the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.keys.tenants import astray, at_work, seed_in_bulk
from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

_PAGE = Path(__file__).parents[2] / "docs" / "keys" / "local-fernet.md"
# Reloads the server with this number, and ends when no worker of before is left.
_SYSTEMCTL = """#!/bin/sh
before=$(ps --ppid {master} -o pid=)
kill -HUP {master}
for each in $before; do while kill -0 "$each" 2>/dev/null; do sleep 0.05; done; done
until curl -fs {url}/readyz >/dev/null; do sleep 0.05; done
"""
_FORGETFUL = {"STRONGROOM_DATA_KEY_CACHE_SECONDS": "1", "STRONGROOM_DATA_KEY_CACHE_SIZE": "1"}


def rotate(server: Strongroom, directory: Path) -> None:
    """Type what the page says."""
    (script,) = re.findall(
        r"```sh\n(.*?)```", _PAGE.read_text().partition("## Rotate")[2], re.DOTALL
    )
    systemctl = directory / "systemctl"
    systemctl.write_text(_SYSTEMCTL.format(master=server.processes()[0], url=server.url))
    systemctl.chmod(0o700)
    path = f"{directory}:{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=True,
        cwd=server.home,
        env={**server.environment, "PATH": path},
        timeout=120,
    )


def test_a_key_file_is_rotated_while_the_server_serves(tmp_path: Path) -> None:
    with running(tmp_path, {**_FORGETFUL, "STRONGROOM_WORKERS": "1"}) as server:
        before = (server.home / "keys").read_text()
        tenants = seed_in_bulk(server.environment, 3, 3)
        with at_work(server.url, tenants[:2]) as writers:
            rotate(server, tmp_path)
        assert all(writer.calls for writer in writers)
        assert astray(server.url, tenants) == []
        after = (server.home / "keys").read_text()
    assert len(after.splitlines()) == 1
    assert after != before
