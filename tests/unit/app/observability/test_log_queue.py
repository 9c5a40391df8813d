"""Lines are written in order by one thread, and nobody waits for a reader that has stalled."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.observability.log_queue import LIMIT_BYTES, LogQueue

LINE = "x" * 1000
TOO_MANY = 2 * LIMIT_BYTES // len(LINE)


@dataclass
class Pipe:
    """Standard error as a service manager gives it; nobody reads until the test does."""

    reader: int
    writer: int

    def fileno(self) -> int:
        return self.writer

    def write(self, text: str) -> None:
        raise AssertionError("the file is written to directly")

    flush = fileno

    def whole_lines(self) -> list[str]:
        """The output that can be read now, up to the end of a line."""
        read = b""
        while not read.endswith(b"\n"):
            assert select.select([self.reader], [], [], 10)[0]
            read += os.read(self.reader, 65536)
        return read.decode().splitlines()

    def lines_until(self, last: str) -> list[str]:
        """All lines, the last of which begins so."""
        read = b""
        while not (read.endswith(b"\n") and read.splitlines()[-1].startswith(last.encode())):
            assert select.select([self.reader], [], [], 10)[0]
            read += os.read(self.reader, 65536)
        return read.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    os.close(made.reader)


def queue_to(pipe: Pipe) -> LogQueue:
    return LogQueue(pipe, lambda count: f"dropped {count}")


def test_lines_keep_their_order(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    lines = [f"line {number}" for number in range(5000)]
    for line in lines:
        queue.put(line)
    assert pipe.lines_until(lines[-1]) == lines


def test_what_finds_the_queue_full_is_dropped_and_counted_where_it_would_stand(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    for number in range(TOO_MANY):
        queue.put(f"{number:06} {LINE}")
    following = 0
    while following < TOO_MANY:
        for line in pipe.whole_lines():
            if line.startswith("dropped "):
                following += int(line.split()[1])
            else:
                assert line == f"{following:06} {LINE}"
                following += 1
    assert following == TOO_MANY


def test_waiting_for_a_stalled_reader_ends(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    for _ in range(TOO_MANY):
        queue.put(LINE)
    assert not queue.flush(0.1)


def test_a_flushed_queue_has_written_everything(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    queue.put("one")
    assert queue.flush()
    os.set_blocking(pipe.reader, False)
    assert os.read(pipe.reader, 100) == b"one\n"


def test_a_line_longer_than_a_pipe_takes_at_once_is_written_whole(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    long = "y" * 200_000
    queue.put(long)
    assert pipe.lines_until(long) == [long]


def test_a_file_that_lets_no_write_block_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    queue = queue_to(pipe)
    lines = [f"{number:06} {LINE}" for number in range(1000)]
    for line in lines:
        queue.put(line)
    assert pipe.lines_until(lines[-1]) == lines


def test_a_child_writes_what_it_says_and_nothing_of_its_parent(pipe: Pipe) -> None:
    queue = queue_to(pipe)
    fill = b"f" * 65536
    os.write(pipe.writer, fill)
    queue.put("of the parent")
    child = os.fork()
    if child == 0:
        queue.put("of the child")
        os._exit(not queue.flush(30))
    assert os.read(pipe.reader, len(fill)) == fill
    assert os.waitpid(child, 0)[1] == 0
    assert queue.flush()
    assert sorted(os.read(pipe.reader, 1000).split(b"\n")) == [
        b"",
        b"of the child",
        b"of the parent",
    ]


def test_a_process_ends_although_nobody_reads_its_log() -> None:
    program = """
import logging
from app.observability import logs
logs.configure("INFO")
for number in range(1000):
    logging.getLogger("strongroom").info("event", extra={"detail": "x" * 1000})
"""
    reader, writer = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stderr=writer,
            cwd=Path(__file__).parents[4],
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
        os.close(reader)
    assert ended.returncode == 0
