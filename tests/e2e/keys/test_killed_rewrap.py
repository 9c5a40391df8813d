"""``strongroom keyring rewrap``, killed at any moment and run again, ends as if it had not been.

The named points of a sweep, each commit and what comes before it, are those of
``tests/unit/app/services/keys/test_interrupted_moves.py``; here the moments are random, and the
processes real from their start to their end.
"""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.keys.roots import LocalRoot, TransitRoot, list_keys
from tests.e2e.keys.tenants import expected_values, read_in_bulk, seed_in_bulk
from tests.support.deployment import copied
from tests.support.openbao import OpenBao
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

FULL_SIZE = 1000  # accounts, with a data key each: several batches
REDUCED_SIZE = 450


def rewrap(terminal: Terminal, kill_after: float | None, *, begun: bool) -> tuple[bool, float]:
    """Run the command in a process of its own.

    Args:
        kill_after: After how many seconds; ``None`` for never.
        begun: Whether these count from its word that the first batch is done, or from its start.

    Returns:
        Whether it was killed, and after how many seconds it ended.
    """
    with subprocess.Popen(
        [str(Path(sys.executable).parent / "strongroom"), "keyring", "rewrap"],
        env=terminal.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        started = time.monotonic()
        if begun:
            assert process.stderr is not None
            assert b"data keys done" in process.stderr.readline()
            started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(kill_after)
        process.kill()
        return process.wait() == -signal.SIGKILL, time.monotonic() - started


@pytest.mark.timeout(900)
def test_a_rewrap_that_was_killed_is_run_again_and_ends_with_the_same_result(
    openbao: OpenBao, terminal: Terminal, tmp_path: Path, *, proving: bool
) -> None:
    old = LocalRoot(tmp_path / "old")
    new = TransitRoot(openbao, openbao.host, tmp_path)
    list_keys(tmp_path, old.uri)
    terminal.answer("init")
    tenants = seed_in_bulk(terminal.environ, FULL_SIZE if proving else REDUCED_SIZE, 1)
    list_keys(tmp_path, new.uri, old.uri)
    before = copied(terminal.home, tmp_path / "before")
    seconds = {}
    for begun in (False, True):
        restore(terminal, before)
        _, seconds[begun] = rewrap(terminal, None, begun=begun)
    whole = terminal.json("keyring", "status")
    assert wrappings(whole) == [len(tenants) + 1] * 2  # the system's data key too

    found = set()
    chance = random.Random(20_270_117)
    for number in range(20 if proving else 2):
        begun = number % 2 == 1
        left = killed(terminal, before, chance, seconds[begun], begun=begun)
        found.add(how_far(left, whole))
        assert left["unreadable_data_keys"] == 0
        assert terminal.json("keyring", "rewrap")["failed"] == 0
        assert terminal.json("keyring", "status") == whole
        list_keys(tmp_path, new.uri)
        assert read_in_bulk(terminal.environ, tenants) == expected_values(tenants)
        list_keys(tmp_path, new.uri, old.uri)
    assert {"not begun", "half done"} <= found or not proving


def killed(
    terminal: Terminal, before: Path, chance: random.Random, seconds: float, *, begun: bool
) -> dict[str, Any]:
    """Kill the command at a random moment of so many seconds; how things stand then.

    Each try that came too late, because the machine is faster now, makes the time shorter.

    Args:
        begun: Whether it has done a part by then and not all, or may be anywhere.
    """
    while True:
        restore(terminal, before)
        by_us, ended = rewrap(terminal, chance.uniform(0, seconds), begun=begun)
        left: dict[str, Any] = terminal.json("keyring", "status")
        if by_us and not (begun and left["providers"][0]["data_keys_without"] == 0):
            return left
        seconds = min(seconds, ended) * 0.8


def restore(terminal: Terminal, before: Path) -> None:
    shutil.rmtree(terminal.home)
    copied(before, terminal.home)


def wrappings(status: dict[str, Any]) -> list[int]:
    """The number of wrappings of each key_ref."""
    return [each["wrappings"] for each in status["key_refs"]]


def how_far(status: dict[str, Any], whole: dict[str, Any]) -> str:
    """The part of the sweep that was done."""
    if len(wrappings(status)) == 1:
        return "not begun"
    return "done" if wrappings(status) == wrappings(whole) else "half done"
