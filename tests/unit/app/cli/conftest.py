"""A terminal in front of a home directory of its own."""

from pathlib import Path

import pytest

from tests.support.ready_home import copy_ready_home
from tests.support.terminal import Terminal


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """A home directory that does not exist yet."""
    return Terminal(tmp_path / "home")


@pytest.fixture
def terminal(bare: Terminal) -> Terminal:
    """A deployment that ``strongroom init`` has made."""
    copy_ready_home(bare.home, "https://localhost")
    return bare


@pytest.fixture
def account(terminal: Terminal) -> str:
    """The id of the first account."""
    first: str = terminal.json("account", "list")[0]["id"]
    return first
