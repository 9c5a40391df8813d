"""An upstream that records every byte, and answers what a test tells it to."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

_CHUNK_END = b"\r\n"


@dataclass
class Received:
    """One request, byte by byte.

    Attributes:
        head: The request line and the headers.
        body: Without its framing.
        connection: The number of the connection that it came over.
    """

    head: bytes
    body: bytes
    connection: int

    @property
    def request_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.request_line.split(" ")[1]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [
            (name, value) for name, _, value in (line.partition(": ") for line in lines) if name
        ]

    def all(self, name: str) -> list[str]:
        """The values of a header, in order."""
        return [value for each, value in self.headers if each.lower() == name.lower()]


@dataclass
class Connection:
    """One connection of a client; what a test's answer writes to."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_closed(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Answer = Callable[[Connection, Received], Awaitable[None]]


def response(body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """The bytes of an answer."""
    fields = {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    return f"HTTP/1.1 200 OK\r\n{''.join(lines)}\r\n".encode() + body


async def hello(connection: Connection, _: Received) -> None:
    await connection.send(HELLO)


@dataclass(repr=False)
class Recorder:
    """The upstream.

    Attributes:
        requests: All that came, whole.
        raw: All bytes that came.
        answer: Is asked for each request.
        connections: The number of connections that were made.
        reads_bodies: A request is answered once its body is there; otherwise after its head.
    """

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    answer: Answer = hello
    connections: int = 0
    reads_bodies: bool = True

    def clear(self) -> None:
        """Forget what came, and answer as in the beginning."""
        self.requests.clear()
        self.raw.clear()
        self.answer = hello
        self.reads_bodies = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        try:
            while head := await self._head(reader):
                body = await self._body(reader, head) if self.reads_bodies else b""
                received = Received(head, body, connection.number)
                self.requests.append(received)
                await self.answer(connection, received)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.raw += head
        return head.removesuffix(b"\r\n\r\n")

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        headers = dict(Received(head, b"", 0).headers)
        lowered = {name.lower(): value for name, value in headers.items()}
        if "chunked" in lowered.get("transfer-encoding", ""):
            return await self._chunks(reader)
        body = await reader.readexactly(int(lowered.get("content-length", "0")))
        self.raw += body
        return body

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while size := int(await reader.readuntil(_CHUNK_END), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        self.raw += body
        return bytes(body)


def two_parts(may_end: threading.Event) -> Answer:
    """An answer of two events, the second one after the event is set."""

    async def answer(connection: Connection, _: Received) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await connection.send(head + b"Content-Length: 18\r\n\r\ndata: 1\n\n")
        await asyncio.to_thread(may_end.wait)
        await connection.send(b"data: 2\n\n")

    return answer


@asynccontextmanager
async def recorder(tls: ssl.SSLContext | None = None) -> AsyncIterator[Recorder]:
    """An upstream on a free port of loopback."""
    upstream = Recorder()
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        writers.add(writer)
        await upstream.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:  # TLS would wait for a client that has gone
            writer.transport.abort()
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)
        await server.wait_closed()
