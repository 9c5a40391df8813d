"""A deployment on a key file, before another provider is listed that something is wrong with."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.ready_home import copy_ready_home
from tests.support.terminal import Terminal, faults

FIRST = "STRONGROOM_KEYS (entry 1): "
SECOND = "STRONGROOM_KEYS (entry 2): "
ESCROW = "STRONGROOM_ESCROW_KEYS (entry 1): "


class Listing:
    """Lists providers beside the key file that opens everything, and checks."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.key_file = f"local-fernet:{terminal.home / 'keys'}"

    def first(self, uri: str) -> list[str]:
        """The faults when ``uri`` is listed before the key file."""
        return faults(self.terminal, STRONGROOM_KEYS=f"{uri} {self.key_file}")

    def second(self, uri: str) -> list[str]:
        """The faults when ``uri`` is listed after the key file, and has wrapped nothing yet."""
        return faults(self.terminal, STRONGROOM_KEYS=f"{self.key_file} {uri}")

    def escrow(self, uri: str) -> list[str]:
        """The faults when ``uri`` is listed as escrow."""
        return faults(self.terminal, STRONGROOM_ESCROW_KEYS=uri)

    def alone(self, uri: str) -> list[str]:
        """The faults when nothing else is listed."""
        return faults(self.terminal, STRONGROOM_KEYS=uri)

    def passes(self, **environ: str) -> bool:
        """Return True if there is no fault."""
        return self.terminal.run("check", **environ).exit_code == 0


@pytest.fixture(scope="package")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    """One deployment for all, since a check changes nothing."""
    terminal = Terminal(tmp_path_factory.mktemp("deployment") / "home")
    copy_ready_home(terminal.home)
    return Listing(terminal)


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    """A new file."""
    path.write_text(text)
    path.chmod(mode)
    return path


def badly_kept(directory: Path, text: str) -> Mapping[str, tuple[Path, str]]:
    """Unsafe places for a file with this text, each with its message."""
    loop = directory / "loop"
    loop.symlink_to(loop.name)
    return {
        "missing": (directory / "missing", "the file cannot be read."),
        "unreadable": (loop, "the file cannot be read."),
        "a directory": (directory, "the file cannot be read."),
        "readable by others": (
            write(directory / "open", text, mode=0o640),
            "the file must be of mode 0600.",
        ),
    }
