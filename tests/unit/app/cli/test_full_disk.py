"""A disk that fills up at any point: the cause is named, nothing is half there, and it passes.

Each operation runs with 20 different amounts of space left, down to none.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from app.domain.errors import StorageUnavailable
from app.repository.sql import schema
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.terminal import Terminal
from tests.unit.app.cli.test_backup import create, tenant, values

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

_POINTS = range(20)
_FREE = [*range(0, 16 * 4096, 4096), 96 * 1024, 192 * 1024, 320 * 1024, 6 * 1024 * 1024]
# Names of SQLite and of the system: https://www.sqlite.org/rescode.html, errno(3).
_NAMED = re.compile(r"\b(SQLITE_(FULL|IOERR|CANTOPEN)\w*|ENOSPC)\b")
_UNAVAILABLE, _MISCONFIGURED, _REFUSED = 4, 3, 1
_LARGE = "x" * 60_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def terminal(disk: SmallDisk) -> Terminal:
    terminal = Terminal(disk.path / "home")
    terminal.answer("init")
    return terminal


def require_named(result: Result) -> bool:
    """Require that a failure is named. Returns whether there was one."""
    if result.exit_code == 0:
        return False
    assert result.exit_code in {_UNAVAILABLE, _MISCONFIGURED, _REFUSED}, result.stderr
    assert _NAMED.search(result.stderr), result.stderr
    return True


def run_at_every_point(
    disk: SmallDisk, run: Callable[[], bool], after: Callable[[], object]
) -> None:
    """Run an operation on a disk that is ever less full, and look after each time."""
    outcomes = []
    for free in _FREE:
        with disk.with_free(free):
            outcomes.append(run())
        after()
    assert len(outcomes) == len(_POINTS)
    assert outcomes[0]
    assert not outcomes[-1]


def test_init(disk: SmallDisk) -> None:
    homes = iter(Terminal(disk.path / f"home-{number}") for number in _POINTS)
    current = next(homes)

    def run() -> bool:
        return require_named(current.run("init"))

    def after() -> None:
        nonlocal current
        current.answer("init")
        assert current.run("check").exit_code == 0
        (account,) = current.json("account", "list")
        create(current, account["id"], "FIRST")
        assert (current.home / "client.env").read_text().count("RUNLOOP_API_KEY=ak_") == 1
        assert [path for path in current.home.iterdir() if path.name.startswith(".")] == []
        current = next(homes, current)

    run_at_every_point(disk, run, after)


def test_writing(disk: SmallDisk, terminal: Terminal, account: str) -> None:
    written: dict[str, str] = {}

    def run() -> bool:
        name = f"NAME_{len(written)}"
        told = ""
        try:
            with tenant(terminal, account) as owner:
                owner.create(name, _LARGE)
                written[name] = _LARGE
                owner.update(name, "small")
                written[name] = "small"
        except StorageUnavailable as error:
            told = error.operator_message
        assert not told or _NAMED.search(told)
        return bool(told)

    def after() -> None:
        assert values(terminal, account) == written
        assert terminal.run("check").exit_code == 0

    run_at_every_point(disk, run, after)


def test_backup(disk: SmallDisk, terminal: Terminal, account: str) -> None:
    create(terminal, account, "FIRST")
    directory = disk.path / "backups"
    directory.mkdir()
    file = directory / "backup"

    def run() -> bool:
        failed = require_named(terminal.run("backup", str(file)))
        assert {path.name for path in directory.iterdir()} == (set() if failed else {"backup"})
        return failed

    def after() -> None:
        if not file.exists():
            terminal.answer("backup", str(file))
        terminal.answer("restore", str(file), "--replace")
        assert values(terminal, account) == {"FIRST": "first"}
        file.unlink()
        for aside in terminal.home.glob("*.replaced-*"):
            aside.unlink()

    run_at_every_point(disk, run, after)


def test_restore(disk: SmallDisk, terminal: Terminal, account: str, tmp_path: Path) -> None:
    create(terminal, account, "FIRST")
    terminal.answer("backup", str(tmp_path / "backup"))
    create(terminal, account, "SECOND")
    terminal.answer("backup", str(tmp_path / "later"))

    def run() -> bool:
        return require_named(terminal.run("restore", str(tmp_path / "backup"), "--replace"))

    def after() -> None:
        held = sorted(values(terminal, account))
        assert held in (["FIRST", "SECOND"], ["FIRST"])
        assert [path for path in terminal.home.iterdir() if path.name.startswith(".")] == []
        terminal.answer("restore", str(tmp_path / "later"), "--replace")
        assert sorted(values(terminal, account)) == ["FIRST", "SECOND"]
        for aside in terminal.home.glob("*.replaced-*"):
            aside.unlink()

    run_at_every_point(disk, run, after)


def test_upgrade(
    disk: SmallDisk, terminal: Terminal, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(terminal, account, "FIRST")

    def run() -> bool:
        with monkeypatch.context() as patched:
            patched.setattr(schema, "age", lambda _: schema.SchemaAge.OLDER)
            return require_named(terminal.run("db", "upgrade"))

    def after() -> None:
        assert values(terminal, account) == {"FIRST": "first"}
        for backup in terminal.home.glob("*.before-upgrade-*"):
            backup.unlink()

    run_at_every_point(disk, run, after)


def test_check(disk: SmallDisk, terminal: Terminal, account: str) -> None:
    create(terminal, account, "FIRST")

    def run() -> bool:
        return require_named(terminal.run("check"))

    def after() -> None:
        assert terminal.run("check").exit_code == 0

    run_at_every_point(disk, run, after)
