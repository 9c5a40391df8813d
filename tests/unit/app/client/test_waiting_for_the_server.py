"""A wait that cannot help ends at once; a longer one says on a terminal what it is for."""

import os
import pty
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.client.redeem import UNAVAILABLE, Client, Refused, redeem
from tests.support.certificates import make_certificate
from tests.support.ports import free_port


def refusal(url: str, timeout: float = 20.0) -> str:
    with pytest.raises(Refused) as refused:
        redeem(Client(url, "injt_x", timeout))
    assert refused.value.code == UNAVAILABLE
    return refused.value.message


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every connection is refused. Waits are counted, and not slept."""
    counted: list[float] = []

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("app.client.redeem.time.monotonic", lambda: sum(counted))
    monkeypatch.setattr("app.client.redeem.time.sleep", counted.append)
    return counted


def test_a_name_that_does_not_exist_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[object] = []

    def look_up(host: object, *_: object, **__: object) -> None:
        hosts.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert "Name or service not known" in refusal("https://no.invalid")
    assert hosts == ["no.invalid"]


@contextmanager
def counted_connections(
    serve: Callable[[socket.socket], None],
) -> Iterator[tuple[str, list[object]]]:
    """Serve each connection. Yields the https URL, and a list that gets the address of each."""
    connections: list[object] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            connections.append(address)
            with connection:
                serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=[listener])
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_certificate_that_does_not_verify_is_presented_once(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key_file)

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with counted_connections(serve) as (url, connections):
        message = refusal(url)
    assert "the certificate of RUNLOOP_BASE_URL does not verify" in message
    assert len(connections) == 1


def test_https_to_a_server_without_tls_is_tried_once() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with counted_connections(serve) as (url, connections):
        message = refusal(url)
    assert "RUNLOOP_BASE_URL is https, but the server there speaks no TLS" in message
    assert len(connections) == 1


@pytest.mark.parametrize(("host", "retries"), [("127.0.0.1", False), ("192.0.2.1", True)])
def test_a_refused_connection_is_retried_for_long_only_elsewhere(
    host: str, retries: bool, waits: list[float]
) -> None:
    """On this machine the waits add up to 2 seconds at most."""
    assert "Connection refused" in refusal(f"http://{host}:{free_port()}")
    assert (sum(waits) > 2) is retries


def test_a_longer_wait_names_the_server_on_a_terminal() -> None:
    script = """
import socket
from app.client import redeem
waits = []
def refuse(*_, **__):
    raise ConnectionRefusedError(111, "Connection refused")
socket.create_connection = refuse
redeem.time.monotonic = lambda: sum(waits)
redeem.time.sleep = waits.append
try:
    redeem.redeem(redeem.Client("http://192.0.2.1:9", "injt_x", 20.0))
except redeem.Refused:
    pass
"""
    outer, inner = pty.openpty()
    subprocess.run([sys.executable, "-c", script], stderr=inner, check=True, timeout=60)
    os.close(inner)
    assert os.read(outer, 1000) == b"strongroom: waiting for http://192.0.2.1:9\r\n"
    os.close(outer)


@pytest.mark.usefixtures("waits")
def test_a_longer_wait_is_silent_where_there_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    refusal("http://192.0.2.1:9")
    assert capfd.readouterr().err == ""
