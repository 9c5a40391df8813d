"""A TCP proxy in front of a real server that fails as networks do: it knows no protocol above TCP.

Connections that are open when a fault begins or ends are cut, so that the next request meets the
new state of things.
"""

import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Link:
    """One client's connection.

    Attributes:
        client: Its socket, closed by the proxy when the fault returns.
        upstream: Connects to the real server.
        over: Set when whoever waits must stop.
    """

    client: socket.socket
    upstream: Callable[[], socket.socket]
    over: Event


Fault = Callable[[Link], None]


class FaultyProxy:
    """Relays to ``upstream`` unless told to fail.

    Attributes:
        host: ``127.0.0.1:PORT``, where clients connect.
        connections: How many were accepted so far.
    """

    def __init__(self, upstream: str) -> None:
        name, _, port = upstream.rpartition(":")
        self._upstream = (name, int(port))
        self._address = ("127.0.0.1", 0)
        self._lock = Lock()
        self._fault: Fault = relay
        self._remaining: int | None = None
        self._over = Event()
        self._open: set[socket.socket] = set()
        self.connections = 0
        self._listen()

    @property
    def host(self) -> str:
        """The address for clients."""
        return f"{self._address[0]}:{self._address[1]}"

    @contextmanager
    def failing(self, fault: Fault, times: int | None = None) -> Iterator[None]:
        """Treat new connections so; ``times`` of them, or all until the block ends."""
        self._become(fault, times)
        try:
            yield
        finally:
            self._become(relay, None)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections until the block ends."""
        self._stop_listening()
        self._become(relay, None)
        try:
            yield
        finally:
            self._listen()

    def close(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        self._stop_listening()
        self._become(relay, None)

    def _listen(self) -> None:
        self._listener = socket.create_server(self._address)
        self._address = self._listener.getsockname()
        self._acceptor = Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def _stop_listening(self) -> None:
        _cut(self._listener)
        self._listener.close()
        self._acceptor.join()

    def _become(self, fault: Fault, times: int | None) -> None:
        with self._lock:
            self._over.set()
            self._over = Event()
            self._fault, self._remaining = fault, times
            for each in self._open:
                _cut(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            fault = self._next_fault()
            link = Link(client, self._connect, self._over)
            self._open.add(client)
        try:
            with suppress(OSError):
                fault(link)
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _next_fault(self) -> Fault:
        if self._remaining is None:
            return self._fault
        if not self._remaining:
            return relay
        self._remaining -= 1
        return self._fault

    def _connect(self) -> socket.socket:
        return socket.create_connection(self._upstream)


def relay(link: Link) -> None:
    """No fault."""
    _relay(link, link.client.sendall)


def hang(link: Link) -> None:
    """Accept, and never say a word."""
    link.over.wait()


def reset(link: Link) -> None:
    """Wait for the request, then reset the connection."""
    link.client.recv(_CHUNK)
    link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def drip(seconds: float) -> Fault:
    """Pass the answer on one byte at a time."""

    def fault(link: Link) -> None:
        def send(chunk: bytes) -> None:
            for byte in chunk:
                if link.over.wait(seconds):
                    raise ConnectionAbortedError
                link.client.sendall(bytes([byte]))

        _relay(link, send)

    return fault


def truncate(after: int) -> Fault:
    """Pass on so many bytes of what the server sends, then close."""

    def fault(link: Link) -> None:
        left = after

        def send(chunk: bytes) -> None:
            nonlocal left
            link.client.sendall(chunk[:left])
            left -= min(left, len(chunk))
            if not left:
                raise ConnectionAbortedError

        _relay(link, send)

    return fault


def substitute(pattern: bytes, change: Callable[[re.Match[bytes]], bytes]) -> Fault:
    """Pass answers on with what matches changed to something of the same length."""

    def fault(link: Link) -> None:
        _relay(link, lambda chunk: link.client.sendall(re.sub(pattern, change, chunk)))

    return fault


def answer(status: int, body: object = None, **headers: str) -> Fault:
    """Answer every HTTP request so, without asking the server; ``body`` becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content))} | headers
    lines = [f"HTTP/1.1 {status} Because", *(f"{k}: {v}" for k, v in fields.items()), "", ""]

    def fault(link: Link) -> None:
        while _read_request(link.client):
            link.client.sendall("\r\n".join(lines).encode() + content)

    return fault


def _relay(link: Link, send: Callable[[bytes], None]) -> None:
    """Copy both ways until one side ends; answers go through ``send``."""
    with link.upstream() as upstream:
        for each in (link.client, upstream):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_copy, args=(link.client, upstream), daemon=True).start()
        try:
            while chunk := upstream.recv(_CHUNK):
                send(chunk)
        finally:
            _cut(link.client)  # closing does not wake the thread that reads from it


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    _cut(target)


def _read_request(client: socket.socket) -> bool:
    """Read one HTTP request; whether there was one."""
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = client.recv(_CHUNK)
        if not chunk:
            return False
        request += chunk
    head, _, body = request.partition(b"\r\n\r\n")
    length = _CONTENT_LENGTH.search(head + b"\r\n")
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        missing -= len(client.recv(_CHUNK) or b"\0" * missing)
    return True
