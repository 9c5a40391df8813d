"""The gateway opens nothing of the API, neither database nor keys, by what strace sees."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway.conftest import gateway_environment, is_answering
from tests.e2e.gateway.test_chain import bearer, path_of
from tests.support.certificates import Certificate
from tests.support.gateway.recorder import Recorder
from tests.support.gateway.stored import Minted
from tests.support.programs import require
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_START_SECONDS = 300.0  # strace stops the process at each call


def test_the_gateway_opens_no_database_and_no_key_of_the_api(
    api: Strongroom,
    sockets: Path,
    gateway_key: str,
    gateway_url: str,
    certificate: Certificate,
    agent: Minted,
    upstream: Recorder,
    tmp_path: Path,
) -> None:
    environment = gateway_environment(tmp_path, sockets, gateway_key, gateway_url, certificate)
    seen = tmp_path / "seen"
    opening = ["-f", "-qq", "-e", "trace=open,openat,openat2,connect", "-o", str(seen)]
    command = [require("strace"), *opening, sys.executable, "-m", "app.cli.main", "gateway"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: is_answering(gateway_url), _START_SECONDS)
            answer = httpx.get(
                f"{gateway_url}{path_of(agent)}", headers=bearer(agent), trust_env=False, timeout=60
            )
            assert (answer.status_code, len(upstream.requests)) == (200, 1)
        finally:
            # To the gateway itself, since strace passes no signal on. It ends with it.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            for child in children.split():
                os.kill(int(child), signal.SIGQUIT)
            process.wait(150)
    lines = seen.read_text(errors="replace").splitlines()
    assert any("admission.sock" in line for line in lines)
    assert any("gateway.key" in line for line in lines)
    home = str(api.home)
    assert [line for line in lines if home in line or "strongroom.db" in line] == []
