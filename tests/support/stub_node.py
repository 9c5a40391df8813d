"""A node whose behaviour a test chooses: an HTTP/1.1 server on a Unix socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

Answer = Callable[[bytes], bytes | None]
"""From the bytes of a request to those of the response; ``None`` closes without one."""


class StubNode:
    """Answers each request on a connection of its own, and remembers them.

    Attributes:
        path: Its socket.
        requests: What came, head and body.
        answer: May be replaced at any time.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self.answer = answer
        self.requests: list[bytes] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        path.chmod(0o666)
        self._listening.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            request = _read_request(connection)
            if request:
                self.requests.append(request)
                response = self.answer(request)
                if response is not None:
                    connection.sendall(response)


def _read_request(connection: socket.socket) -> bytes:
    """Read the head, and as much of a body as it declares, or the first chunk."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    while lengths and len(body) < lengths[0]:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def stub_node(path: Path, answer: Answer = lambda _: OK) -> Iterator[StubNode]:
    """Run one until the block ends."""
    node = StubNode(path, answer)
    try:
        yield node
    finally:
        node.close()
