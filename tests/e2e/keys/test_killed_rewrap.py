"""``strongroom keyring rewrap``, killed at any moment and run again, ends as if it had not been."""

import random
import shutil
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.keys.roots import LocalRoot, TransitRoot, list_keys
from tests.e2e.keys.tenants import expected_values, opened_values, seed_in_bulk
from tests.operator.conftest import Terminal
from tests.servers.openbao import OpenBao

FULL_SIZE = 1000  # accounts, with a data key each: several batches
REDUCED_SIZE = 250


def rewrap(terminal: Terminal, kill_after: float | None) -> float:
    """Run the command in a process of its own.

    Args:
        kill_after: How many seconds after it has told of its first batch; ``None`` for never.

    Returns:
        How many seconds after that it ended.
    """
    with subprocess.Popen(
        [str(Path(sys.executable).parent / "strongroom"), "keyring", "rewrap"],
        env=terminal.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert b"data keys done" in process.stderr.readline()
        started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(kill_after)
        process.kill()
        process.wait()
        return time.monotonic() - started


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
    before = shutil.copytree(terminal.home, tmp_path / "before")
    rest = rewrap(terminal, None)
    whole = terminal.json("keyring", "status")
    assert wrappings(whole) == [len(tenants) + 1] * 2  # the system's data key too

    half_done = 0
    chance = random.Random(20_270_117)
    for _ in range(20 if proving else 2):
        shutil.rmtree(terminal.home)
        shutil.copytree(before, terminal.home)
        rewrap(terminal, chance.uniform(0, rest))
        half_done += len(set(wrappings(terminal.json("keyring", "status")))) > 1
        assert terminal.json("keyring", "rewrap")["failed"] == 0
        assert terminal.json("keyring", "status") == whole
        list_keys(tmp_path, new.uri)
        with closing(build(load(terminal.environ))) as services:
            assert opened_values(services, tenants) == expected_values(tenants)
        list_keys(tmp_path, new.uri, old.uri)
    assert half_done or not proving


def wrappings(status: dict[str, Any]) -> list[int]:
    """How many each key_ref has."""
    return [each["wrappings"] for each in status["key_refs"]]
