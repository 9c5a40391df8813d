"""A git server: git's own ``http-backend``, for whoever has the right credential."""

import os
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.support.programs import require


@dataclass(frozen=True)
class GitServer:
    """A server with one empty repository, ``team/project.git``.

    Attributes:
        heads: The request line and the headers of each request.
    """

    port: int
    heads: list[str]


class _Handler(BaseHTTPRequestHandler):
    root: Path
    login: str
    heads: list[str]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _serve(self, body: bytes) -> None:
        self.heads.append(f"{self.requestline}\n{self.headers}")
        if self.headers.get_all("Authorization") != [f"Basic {self.login}"]:
            self.send_error(401)
            return
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "robot",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=True
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def git_server(root: Path, login: str, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """Serve until the block ends.

    Args:
        root: An empty directory.
        login: ``USER:PASSWORD``.
    """
    repository = root / "team" / "project.git"
    subprocess.run([require("git"), "init", "-q", "--bare", str(repository)], check=True)
    heads: list[str] = []
    attributes = {"root": root, "login": b64encode(login.encode()).decode(), "heads": heads}
    handler = type("Handler", (_Handler,), attributes)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield GitServer(server.server_port, heads)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
