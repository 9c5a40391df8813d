"""A process with a gateway's URL and token, which runs the recipes of the page for clients."""

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.gateway.recorder import Answer, Connection, Received, Recorder, response
from tests.support.programs import require, skip_for_want

CREDENTIAL = "canary-0b51f2-of-a-client"

_ROOT = Path(__file__).parents[4]
_PAGE = _ROOT / "docs" / "gateway-clients.md"
_SDKS = _ROOT / ".venv" / "sdks"
_PYTHON = _SDKS / "bin" / "python"
_PACKAGES = _SDKS / "node_modules"
_LOOPBACK = Path(__file__).parent / "loopback.cjs"
_SECONDS = 120.0
TRUST = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_CAFILE",
)
"""Where clients look for the authority of the gateway's certificate."""
_ENCODED = base64.b64encode(f"agent:{CREDENTIAL}".encode()).decode()
_SHIPPED = _ROOT / "config" / "gateways.json"
_NEVER_SENT = (b"gws_", b"gwc_", b"x-forwarded", b"forwarded:", b"x-real-ip")


def shipped_config(name: str, port: int, label: str) -> dict[str, Any]:
    """A config of the system, or a plain one, under a name of its own for a server on loopback."""
    plain = {"name": name, "endpoint": "https://any.example", "auth_mechanism": {"type": "bearer"}}
    (config, *_) = [
        *(each for each in json.loads(_SHIPPED.read_text()) if each["name"] == name),
        plain,
    ]
    base = urlsplit(config["endpoint"]).path
    changed = {"name": f"{name} for {label}", "endpoint": f"https://127.0.0.1:{port}{base}"}
    return dict(config) | changed


def python() -> str:
    """The interpreter beside which ``make slow`` installs the SDKs."""
    if not _PYTHON.exists():
        skip_for_want("the SDKs are not installed; run: make .venv/.sdks")
    return str(_PYTHON)


def packages() -> Path:
    """The JavaScript SDKs, which ``make slow`` installs beside them."""
    if not (_PACKAGES / "stripe").exists():
        skip_for_want("the JavaScript SDKs are not installed; run: make .venv/.javascript")
    return _PACKAGES


def recipe(title: str, language: str) -> str:
    """The code of one section of the page."""
    sections = re.split(r"^##+ ", _PAGE.read_text(), flags=re.MULTILINE)
    (text,) = (each for each in sections if each.startswith(f"{title}\n"))
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(code)


@dataclass(frozen=True)
class Agent:
    """What an orchestrator has put into a box.

    Attributes:
        prefix: The name of the variable with the token; with ``_URL``, of that with the URL.
    """

    prefix: str
    url: str
    token: str = field(repr=False)
    directory: Path
    ca_file: Path

    @cached_property
    def environment(self) -> dict[str, str]:
        """All that its processes inherit."""
        return {
            "PATH": f"{_PYTHON.parent}:{os.environ['PATH']}",  # noqa: TID251 - of the machine
            "HOME": str(self.directory),
            f"{self.prefix}_URL": self.url,
            self.prefix: self.token,
            **dict.fromkeys(TRUST, str(self.ca_file)),
        }

    def run_python(self, title: str) -> str:
        """Run the recipe of an SDK. Returns what it prints."""
        return self._run([python(), "-c", recipe(title, "python")])

    def run_javascript(self, title: str) -> str:
        """Run the recipe of an SDK in Node.js, for which ``*.gw.localhost`` is this machine."""
        (self.directory / "node_modules").symlink_to(packages())
        script = self.directory / "recipe.mjs"
        script.write_text(recipe(title, "javascript"))
        return self._run([require("node"), "--require", str(_LOOPBACK), str(script)])

    def run_shell(self, title: str) -> str:
        """Run the commands of a recipe. Returns what they print."""
        return self._run([require("sh"), "-euc", recipe(title, "sh")])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        assert CREDENTIAL not in done.stdout + done.stderr
        return done.stdout


def answer_with(body: object) -> Answer:
    """Answer each request with a JSON document."""

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(response(json.dumps(body).encode()))

    return answer


def answer_with_events(*events: tuple[str | None, object]) -> Answer:
    """Answer each request with a stream of named events."""
    lines = []
    for name, data in events:
        kind = "" if name is None else f"event: {name}\n"
        text = data if isinstance(data, str) else json.dumps(data)
        lines.append(f"{kind}data: {text}\n\n")

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(response("".join(lines).encode(), "text/event-stream"))

    return answer


def assert_authorized(upstream: Recorder, header: str, value: str = f"Bearer {CREDENTIAL}") -> None:
    """Every request had the credential there and nowhere else, and nothing of the gateway's."""
    assert upstream.requests
    raw = bytes(upstream.raw)
    for received in upstream.requests:
        assert received.all(header) == [value]
        assert received.all("Host") == [f"127.0.0.1:{upstream.port}"]
    occurrences = raw.count(CREDENTIAL.encode()) + raw.count(_ENCODED.encode())
    assert occurrences == len(upstream.requests)
    assert [each for each in _NEVER_SENT if each in raw.lower()] == []


def request_lines(upstream: Recorder) -> list[str]:
    """What came first in each request."""
    return [each.request_line for each in upstream.requests]
