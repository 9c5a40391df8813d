"""A backup that is stopped with Ctrl-C while SQLite copies."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app.repository.base import Database
from app.repository.sqlite.disk import backup
from app.repository.sqlite.settings import open_writer

PATIENCE_SECONDS = 20.0


class Copying:
    """A connection whose user presses Ctrl-C in the middle of a statement."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pressed = False
        self.interrupted = Event()

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self._connection.set_progress_handler(self._press, 1)
        return self._connection.execute(*statement)

    def interrupt(self) -> None:
        self._connection.interrupt()
        self.interrupted.set()

    def close(self) -> None:
        self._connection.close()

    def _press(self) -> bool:
        if not self._pressed:
            self._pressed = True
            os.kill(os.getpid(), signal.SIGINT)
        return not self.interrupted.wait(PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Python's own handler, also where a runner of tests ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_stopped_backup_ends_at_once_and_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Copying] = []

    def open_copying(path: Path) -> Copying:
        opened.append(Copying(open_writer(path)))
        return opened[-1]

    monkeypatch.setattr(backup, "open_writer", open_copying)
    place = tmp_path / "backups"
    place.mkdir()
    with pytest.raises(KeyboardInterrupt):
        database.back_up(place / "one")
    assert opened[0].interrupted.is_set()
    assert [*place.iterdir()] == []
