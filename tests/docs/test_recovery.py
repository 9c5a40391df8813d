"""``docs/keys/recovery.md``: its commands work in their order, and every refusal is explained."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.services.rotation import recover as recovery
from tests.support.terminal import unused_socket

pytestmark = pytest.mark.slow

_PAGE = (Path(__file__).parents[2] / "docs" / "keys" / "recovery.md").read_text()
_REFUSAL = re.compile(r'RecoveryRefused\(\s*"([^"]+)"')


def test_a_recovery_key_is_made_rotated_and_recovered_with(tmp_path: Path) -> None:
    script = "".join(re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"strongroom init >exports\n{script}"],
        check=False,
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "STRONGROOM_HOME": str(tmp_path / "var"),
            "STRONGROOM_BIND": unused_socket(),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", _REFUSAL.findall(Path(recovery.__file__).read_text()))
def test_the_page_has_the_message_of_every_refusal(words: str) -> None:
    assert words in _PAGE
