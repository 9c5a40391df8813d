"""``docs/backup.md``: its commands work in their order, and it says what the command says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.repository.sqlite.disk.log_number import ForeignLog
from tests.support.terminal import unused_socket

pytestmark = pytest.mark.slow

_PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()
_UNITS = Path(__file__).parents[2] / "config"


def test_a_backup_is_made_put_back_and_drilled(tmp_path: Path) -> None:
    script = "".join(re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL))
    assert "strongroom restore drill.backup" in script
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{_SET_UP}\n{script}"],
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


# A second machine with the same settings and root key.
_SET_UP = """strongroom init >exports
install -d -m 0700 elsewhere
install -m 0600 var/keys elsewhere/keys"""


def test_the_refusal_of_a_foreign_log_is_explained() -> None:
    message = str(ForeignLog()).partition(": ")[2]
    assert message in " ".join(_PAGE.replace("> ", "").split())


def test_the_timer_starts_a_unit_that_writes_where_it_may() -> None:
    unit = (_UNITS / "strongroom-backup.service").read_text()
    (directories,) = re.findall(r"^StateDirectory=(.*)$", unit, re.MULTILINE)
    written = re.findall(r"/var/lib/([a-z-]+)/", unit)
    assert written
    assert set(written) <= set(directories.split())
    assert (_UNITS / "strongroom-backup.timer").exists()
