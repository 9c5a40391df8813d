"""``strongroom keyring rewrap``, killed at any moment and run again, ends as if it had not been."""

import random
import shutil
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.keys.roots import LocalRoot, TransitRoot, list_keys
from tests.e2e.keys.tenants import expected_values, opened_values, seed_in_bulk
from tests.operator.conftest import Terminal
from tests.servers.openbao import OpenBao

ACCOUNTS = 250  # more than a batch
DATA_KEYS = ACCOUNTS + 1


def rewrap(terminal: Terminal, kill_after: float | None) -> float:
    """Run the command in a process of its own; the seconds that it took."""
    started = time.monotonic()
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "strongroom"), "keyring", "rewrap"],
        env=terminal.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
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
    tenants = seed_in_bulk(terminal.environ, ACCOUNTS, 1)
    list_keys(tmp_path, new.uri, old.uri)
    before = shutil.copytree(terminal.home, tmp_path / "before")
    longest = rewrap(terminal, None)
    whole = terminal.json("keyring", "status")
    assert [each["wrappings"] for each in whole["key_refs"]] == [DATA_KEYS, DATA_KEYS]

    chance = random.Random(20_270_117)
    for _ in range(20 if proving else 2):
        shutil.rmtree(terminal.home)
        shutil.copytree(before, terminal.home)
        rewrap(terminal, chance.uniform(longest / 3, longest))
        assert terminal.json("keyring", "rewrap")["failed"] == 0
        assert terminal.json("keyring", "status") == whole
        list_keys(tmp_path, new.uri)
        with closing(build(load(terminal.environ))) as services:
            assert opened_values(services, tenants) == expected_values(tenants)
        list_keys(tmp_path, new.uri, old.uri)
