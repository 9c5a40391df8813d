"""Output on its way from a command through a filter to ours."""

import fcntl
import os
import tty
from pathlib import Path
from threading import Thread

from app.client.terminal.output_stream import OutputStream, Unchanged
from tests.support.waiting import wait_until


class Reader(Unchanged):
    """Changes nothing. Before each piece it waits until the terminal has shown those before it."""

    def __init__(self, screen: int) -> None:
        self.followed: list[bool] = []
        self.shown = b""
        self._screen = screen
        self._given = 0

    def feed(self, data: bytes, *, more: bool = False) -> bytes:
        wait_until(lambda: len(self.shown) == self._given)
        self._given += len(data)
        self.followed.append(more)
        return data

    def read(self, count: int) -> None:
        while len(self.shown) < count:
            self.shown += os.read(self._screen, count)


def test_a_terminal_shows_a_piece_before_the_next_is_masked(tmp_path: Path) -> None:
    content = os.urandom(80_000)
    (tmp_path / "output").write_bytes(content)
    screen, terminal = os.openpty()
    tty.setraw(terminal)
    reader = Reader(screen)
    output = OutputStream(os.open(tmp_path / "output", os.O_RDONLY), terminal, reader)
    thread = Thread(target=reader.read, args=[len(content)], daemon=True)
    thread.start()
    assert output.pump() == len(content)
    thread.join()
    assert reader.shown == content
    assert reader.followed == [True, True, False]
    output.close()
    os.close(screen)
    os.close(terminal)


class Followed(Unchanged):
    """Changes nothing. Notes which pieces others followed at once."""

    def __init__(self) -> None:
        self.followed: list[bool] = []

    def feed(self, data: bytes, *, more: bool = False) -> bytes:
        self.followed.append(more)
        return data


def test_an_end_waits_for_output_that_is_there_already() -> None:
    (source, command), (screen, sink) = os.pipe(), os.pipe()
    noted = Followed()
    output = OutputStream(source, sink, noted)
    fcntl.fcntl(command, fcntl.F_SETPIPE_SZ, 1 << 20)
    reader = Thread(target=read_all, args=[screen], daemon=True)
    reader.start()
    os.write(command, bytes(256 * 1024 + 1))  # one byte more than is read at once
    output.pump()
    output.pump()
    assert noted.followed == [True, False]
    os.close(sink)
    reader.join()
    output.close()
    os.close(command)


def read_all(source: int) -> None:
    """Read to the end, so that no writer waits."""
    while os.read(source, 1 << 20):
        pass
    os.close(source)
