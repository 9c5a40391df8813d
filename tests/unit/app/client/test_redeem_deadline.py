"""``--timeout`` is a deadline, whatever the server does with the connection."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.client.redeem import MAX_TIMEOUT_SECONDS, UNAVAILABLE, Client, Refused, redeem
from app.domain.injections import NONCE_WINDOW_MS

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW = {
    "its status": b"",
    "its headers": HEAD,
    "its body": HEAD + b"Content-Length: 1000000\r\n\r\n",
    "its chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
}


class Dripper:
    """Answers at once with the beginning, then with a byte each 10 ms for ever."""

    def __init__(self, listener: socket.socket, beginning: bytes) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.over = threading.Event()
        self._listener, self._beginning = listener, beginning

    def serve(self) -> None:
        with suppress(OSError):
            while not self.over.is_set():
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(self._beginning)
                    while not self.over.wait(0.01):
                        connection.sendall(b"1")


@pytest.fixture(params=SLOW)
def dripper(request: pytest.FixtureRequest) -> Iterator[Dripper]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripper = Dripper(listener, SLOW[request.param])
        thread = threading.Thread(target=dripper.serve)
        thread.start()
        yield dripper
        dripper.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_slow_response_is_abandoned_at_the_deadline(dripper: Dripper) -> None:
    began = time.monotonic()
    with pytest.raises(Refused) as refused:
        redeem(Client(dripper.url, "injt_x", timeout=0.5))
    assert refused.value.code == UNAVAILABLE
    assert time.monotonic() - began < 3


def test_the_deadline_includes_the_dns_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        with pytest.raises(Refused) as refused:
            redeem(Client("https://secrets.example", "injt_x", timeout=0.5))
    finally:
        over.set()
    assert refused.value.code == UNAVAILABLE
    assert time.monotonic() - began < 3


def test_no_retry_comes_after_the_window_of_its_nonce() -> None:
    assert MAX_TIMEOUT_SECONDS * 1000 < NONCE_WINDOW_MS
