"""Home directories that ``strongroom init`` has made: it runs once, and each test gets a copy."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from app.cli.main import strongroom
from tests.support import databases


def copy_ready_home(home: Path, url: str = "http://127.0.0.1:8080") -> None:
    """Make ``home`` a new deployment under a key file, whose ``client.env`` has this URL."""
    ready = Path(_directory().name) / "home"
    shutil.copytree(ready, home, dirs_exist_ok=True)
    databases.chosen.copy(ready, home)
    client_env = home / "client.env"
    client_env.write_text(client_env.read_text().replace("http://127.0.0.1:8080", url))


@cache
def _directory() -> "TemporaryDirectory[str]":
    """The directory with the home that is copied. It is removed as this process ends."""
    directory = TemporaryDirectory(prefix="strongroom-ready-")
    home = Path(directory.name) / "home"
    environ = {"STRONGROOM_HOME": str(home), **databases.chosen.settings(home)}
    made = CliRunner().invoke(strongroom, ["init"], obj=environ, catch_exceptions=False)
    assert made.exit_code == 0, made.stderr
    databases.chosen.keep(home)
    return directory
