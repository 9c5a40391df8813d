"""Flask, Express and nginx read a path as rules judged it, or the gateway refuses to send it."""

import http.client
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.domain.gateways.rules import judged_form
from app.domain.gateways.targets import AmbiguousPath, parse_target
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_EXPRESS = Path(__file__).with_name("express")
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_FLASK = """
from flask import Flask

app = Flask("paths")


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def read(path):
    return f"/{path}"
"""
_NGINX = """
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 $uri; }}
    }}
}}
"""
_AS_THEY_ARE = "/!$&'()*+,:=@[]^`{|}"
"""What may stand unescaped in a path, beside letters, digits and ``-._~``."""

_PIECES = st.sampled_from(
    [
        *("/", "//", ".", "..", "/.", "/..", "/../", "/./", "\\", ";", ";x", "?", "#", "*"),
        *("%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%3b", "%3B", "%00", "%0d%0a", "%7f"),
        *("%25", "%252e", "%252f", "%25%32%65", "%", "%2", "%zz", "%u002e"),
        *("%c0%ae", "%c0%af", "%e0%80%af", "%C3%BC", "%c3%bc", "ü", "%ff", "%E2%88%95"),
        *(":", "%3a", "%3A", "@", "%40", "%41", "%61", "%7e", "~", "%2a", "%5B", "[", "%20"),
        *("a", "B", "admin", "v1"),
    ]
)
_SINGLE = st.sampled_from([*"/.:@%2a", "%3a", "%40", "%2E", "%61", "%C3%BC", "a", "b/", "..."])
_PATHS = st.lists(_PIECES, max_size=8) | st.lists(_SINGLE, max_size=8)


@dataclass(frozen=True)
class Server:
    """A server that answers with the path as it reads it."""

    name: str
    port: int

    def read(self, sent: str) -> str:
        """Send these bytes as a target; the server's reading."""
        address = ("127.0.0.1", self.port)
        with closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
            connection.putrequest("GET", sent)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read().decode()
            assert response.status == 200, (self.name, sent, response.status)
        return body


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    directory = tmp_path_factory.mktemp("servers")
    with ExitStack() as running:
        flask = Server("Flask", free_port())
        (directory / "paths.py").write_text(_FLASK)
        options = ["--no-control-socket", "--chdir", str(directory), "--log-level=error"]
        command = [sys.executable, "-m", "gunicorn", *options, "paths:app"]
        running.enter_context(_running([*command, f"--bind=127.0.0.1:{flask.port}"]))
        nginx = Server("nginx", free_port())
        configuration = directory / "nginx.conf"
        configuration.write_text(_NGINX.format(directory=directory, port=nginx.port))
        command = [require("nginx"), "-e", "stderr", "-g", "daemon off;"]
        running.enter_context(_running([*command, "-c", str(configuration)]))
        shutil.copytree(_EXPRESS, directory / "express")
        subprocess.run(
            [require("npm"), *_INSTALL], cwd=directory / "express", check=True, timeout=240
        )
        node = running.enter_context(
            _running([require("node"), str(directory / "express" / "server.mjs")])
        )
        assert node.stdout is not None
        express = Server("Express", int(node.stdout.readline()))
        started = [flask, nginx, express]
        for each in started:
            wait_until(lambda each=each: _answers(each))  # type: ignore[misc]
        yield started


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _answers(server: Server) -> bool:
    try:
        return server.read("/") == "/"
    except OSError:
        return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_PATHS)
@example(["v1/a%3Ab"])
@example(["v1/a:b%40c@d"])
@example(["v1/%2A/*"])
@example(["v1/%5Ba%5d[b]"])
def test_servers_read_a_path_as_rules_judged_it(servers: list[Server], pieces: list[str]) -> None:
    """Each reading, escaped again, is what was judged: so no two judged forms are one path."""
    try:
        target = parse_target("/" + "".join(pieces))
    except AmbiguousPath:
        return
    if not target.is_strict or target.query is not None:
        return  # the gateway sends no such path where rules judge
    judged = judged_form(target.path)
    for server in servers:
        reading = server.read(target.path)
        assert quote(reading, safe=_AS_THEY_ARE + "~") == judged, server.name
