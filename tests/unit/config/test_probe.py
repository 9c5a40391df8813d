"""The probe of containers: its exit code says what the server answered."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.ports import free_port

PROBE = Path(__file__).parents[3] / "config" / "probe.py"


class Answering(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def probed(*arguments: str) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    command = [sys.executable, "-I", str(PROBE), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (204, 1), (404, 1), (503, 1)])
def test_only_200_is_a_success(address: str, status: int, code: int) -> None:
    assert probed(address, f"/{status}") == (code, "")


def test_where_nothing_listens_it_fails_and_prints_nothing() -> None:
    assert probed(f"127.0.0.1:{free_port()}", "/healthz") == (1, "")
