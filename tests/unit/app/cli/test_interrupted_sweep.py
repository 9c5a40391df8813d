"""A sweep at a terminal that is stopped with Ctrl-C, and run again."""

import os
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.bootstrap import build
from config import load
from tests.support.deployment import new_tenant
from tests.support.terminal import Terminal
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.slow

COMMAND = [str(Path(sys.executable).parent / "strongroom"), "keyring"]
DATA_KEYS = 5
SLOW = ("--rate", "0.001")  # one row at once, the next in a quarter of an hour


@pytest.fixture
def moving(terminal: Terminal) -> Terminal:
    """Five data keys, and a new key file before the one that wraps them."""
    with closing(build(load(terminal.environ))) as services:
        for _ in range(DATA_KEYS - 1):
            new_tenant(services).create("A")
    new = terminal.home / "new-keys"
    new.touch(0o600)
    new.write_bytes(Fernet.generate_key() + b"\n")
    uris = f"local-fernet:{new} local-fernet:{terminal.home / 'keys'}"
    terminal.environ["STRONGROOM_KEYS"] = uris
    return terminal


def at_a_terminal(terminal: Terminal, *arguments: str) -> PseudoTerminal:
    environment = {**terminal.environ, "PATH": os.environ["PATH"]}  # noqa: TID251 - the machine's
    return PseudoTerminal([*COMMAND, *arguments], environment, terminal.home)


def test_a_rewrap_goes_on_where_it_was_stopped(moving: Terminal) -> None:
    for done in (1, 2):
        with at_a_terminal(moving, "rewrap", *SLOW) as screen:
            screen.expect(f" {done}/{DATA_KEYS}")
            screen.type("\x03")
            screen.expect(f"strongroom: stopped: {done} of {DATA_KEYS} data keys done.")
            assert screen.wait() == 130
    with at_a_terminal(moving, "rewrap") as screen:
        drawn = screen.rest()
        assert screen.wait() == 0
    positions = [int(each) for each in re.findall(r"(\d+)/5", drawn)]
    assert positions == sorted(positions)
    assert (positions[0], positions[-1]) == (DATA_KEYS, DATA_KEYS)
    assert "3 of 5 data keys changed." in drawn


def test_a_stopped_reencryption_says_that_it_resumes(moving: Terminal) -> None:
    with at_a_terminal(moving, "reencrypt", *SLOW) as screen:
        screen.expect(f" 0/{DATA_KEYS - 1}")
        screen.type("\x03")
        screen.expect(f"strongroom: stopped: 0 of {DATA_KEYS - 1} values done.")
        assert screen.wait() == 130
    with at_a_terminal(moving, "reencrypt") as screen:
        screen.expect("strongroom: resuming the job")
        screen.expect(f" {DATA_KEYS - 1}/{DATA_KEYS - 1}")
        assert screen.wait() == 0
