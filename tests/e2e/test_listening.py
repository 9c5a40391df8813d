"""The server listens where ``STRONGROOM_BIND`` says, and nobody else may use its socket."""

import http.client
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, prepared, running


@pytest.fixture(scope="module")
def socket_path() -> Iterator[Path]:
    """Short, since a socket's path is."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        yield Path(directory) / "server.sock"


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory, socket_path: Path) -> Iterator[Strongroom]:
    """A server on a socket and two loopback addresses, started where files are for everybody."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "STRONGROOM_BIND": f"unix:{socket_path} 127.0.0.1:{port} [::1]:{port}",
    }
    before = os.umask(0)
    try:
        with running(tmp_path_factory.mktemp("listening"), settings) as server:
            yield server
    finally:
        os.umask(before)


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_every_listed_address_serves(listening: Strongroom, host: str) -> None:
    url = f"http://{host}:{listening.environment['PORT']}/healthz"
    assert requests.get(url, timeout=20).status_code == 200


def test_a_unix_socket_serves(listening: Strongroom, socket_path: Path) -> None:
    connection = _OverUnix(socket_path)
    connection.request(
        "GET", "/v1/secrets", headers={"Authorization": f"Bearer {listening.api_key}"}
    )
    assert connection.getresponse().status == 200
    connection.close()


def test_other_users_cannot_use_the_socket_with_any_umask(
    listening: Strongroom, socket_path: Path
) -> None:
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o660


def test_a_port_that_stays_taken_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    server = prepared(tmp_path)
    port = server.environment["PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        server.launch()
        try:
            assert server.wait() == 1
        finally:
            server.kill()
    (line,) = server.logged("event", ["port_taken"])
    assert line["detail"].startswith(f"PORT: another program listens on 127.0.0.1:{port}; ")
    log = server.log.read_text()
    assert [each for each in ("Connection in use", "Traceback") if each in log] == []


def test_before_a_start_the_port_of_a_running_server_is_refused(server: Strongroom) -> None:
    refused = server.command("check", "--before-start", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("strongroom: PORT: a Strongroom listens on 127.0.0.1:")
    assert server.command("check").returncode == 0
