"""Streams of events that agents read through a real gateway while something happens."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.gateway.recorder import Connection, Received, Recorder
from tests.support.gateway.stored import Minted
from tests.support.waiting import wait_until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
LAST = "data: last"

_BETWEEN_SECONDS = 0.05


@dataclass
class Stream:
    """A stream that an agent reads; the upstream sends an event as soon as the last was read.

    Attributes:
        lines: All that came.
        has_ended: Whoever reads it has seen its end.
        may_end: The upstream sends its last event.
        is_left: The upstream has seen that nobody reads it any more.
    """

    lines: list[str] = field(default_factory=list)
    has_ended: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    is_left: threading.Event = field(default_factory=threading.Event)

    async def answer(self, connection: Connection, _: Received) -> None:
        """Send events until it may end."""
        leaving = asyncio.create_task(self._see_leaving(connection))
        await connection.send(HEAD)
        while not self.may_end.is_set() and not self.is_left.is_set():
            await connection.send(b"data: event\n\n")
            await asyncio.sleep(_BETWEEN_SECONDS)
        leaving.cancel()
        await asyncio.wait({leaving})
        await connection.send(f"{LAST}\n\n".encode())
        connection.writer.close()

    async def _see_leaving(self, connection: Connection) -> None:
        await connection.until_closed()
        self.is_left.set()

    def wait_for_more(self) -> None:
        """Wait until further events have come."""
        count = len(self.lines)
        wait_until(lambda: len(self.lines) > count + 2 or self.has_ended.is_set())
        assert not self.has_ended.is_set(), "the stream has ended"


@contextmanager
def streaming(url: str, minted: Minted, upstream: Recorder) -> Iterator[Stream]:
    """Read a stream in a thread, from its first event to the end of the block or its own.

    Args:
        url: The gateway's.
    """
    stream = Stream()
    upstream.answer = stream.answer
    path = f"/{minted.row.config_id}/v1/events"
    headers = {"Authorization": f"Bearer {minted.token.reveal()}"}

    def collect() -> None:
        with (
            httpx.Client(base_url=url, trust_env=False, timeout=90) as client,
            client.stream("GET", path, headers=headers) as got,
        ):
            for line in filter(None, got.iter_lines()):
                stream.lines.append(line)

    def run() -> None:
        try:
            collect()
        except httpx.HTTPError:
            pass
        finally:
            stream.has_ended.set()

    reading = threading.Thread(target=run, daemon=True)
    reading.start()
    wait_until(lambda: bool(stream.lines) or stream.has_ended.is_set())
    assert stream.lines, "the stream did not begin"
    try:
        yield stream
    finally:
        stream.may_end.set()
        reading.join(60)
