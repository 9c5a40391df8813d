"""``docs/gateway.md``: its first five minutes, as they stand there, with an upstream of ours."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.gateway.conftest import CANARY, Gateway
from tests.support.gateway.recorder import Recorder
from tests.support.programs import require
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

_PAGE = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text()
_SECTION = _PAGE.partition("## The first five minutes")[2].partition("\n## ")[0]
_UPSTREAM = "https://api.example.com"
_TYPED = "strongroom secret set EXAMPLE_KEY"


def test_an_agent_uses_a_key_that_it_never_had(
    api: Strongroom, gateway: Gateway, upstream: Recorder, tmp_path: Path
) -> None:
    require("curl")
    assert gateway.url
    script = "\n".join(re.findall(r"```sh\n(.*?)```", _SECTION, re.DOTALL))
    for ours, theirs in {
        "var/client.env": str(api.home / "client.env"),
        _UPSTREAM: f"https://localhost:{upstream.port}",
        _TYPED: f"printf %s {CANARY} | {_TYPED}",
        "strongroom ": f"{Path(sys.executable).parent / 'strongroom'} ",
    }.items():
        assert ours in script
        script = script.replace(ours, theirs)
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=tmp_path,
        env={"PATH": gateway.environment["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("hello")
    (received,) = upstream.requests
    assert (received.target, received.all("Authorization")) == ("/v1/models", [f"Bearer {CANARY}"])
    for seen in (done.stdout, done.stderr, (tmp_path / "minted").read_text()):
        assert CANARY not in seen
