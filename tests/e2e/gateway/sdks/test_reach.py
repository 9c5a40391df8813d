"""A credential is nowhere in the reach of an agent that has used it with real SDKs.

The agent is started by ``strongroom run --gateway`` as another user than the server's. While it
still runs, the environment and the whole memory of its processes are searched from outside, and its
user looks through all files and processes that it can read.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest

from tests.e2e.account import Account
from tests.e2e.canaries import forms, found_in
from tests.e2e.gateway.sdks import answers
from tests.e2e.gateway.sdks.agent import TRUST, packages, python, recipe, shipped_config
from tests.support.box import Box, another_users_box
from tests.support.certificates import Certificate
from tests.support.gateway.recorder import Connection, Received, Recorder, response
from tests.support.nginx import Nginx
from tests.support.programs import require
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

_SECONDS = 300.0
_READY = "ready\n"
_LOOK = Path(__file__).with_name("look_around.py")
_ECHO = """
import os, sys, urllib.request

headers = {"Authorization": f"Bearer {os.environ['OPENAI']}"}
request = urllib.request.Request(os.environ["OPENAI_URL"] + "/v1/echo", headers=headers)
with urllib.request.urlopen(request) as echo:
    print(echo.status, echo.headers, echo.read().decode())
print("ready", flush=True)
sys.stdin.readline()
"""
"""Shows an answer as it came, and then waits."""


@dataclass(frozen=True)
class Ran:
    """An agent after its work, which waits, and what there is to compare with.

    Attributes:
        printed: All that its commands printed.
        started: When it began, in Unix seconds; nothing that was written before matters.
        secrets: What it must not have: the credential, and the API key that started it.
    """

    box: Box
    printed: str
    started: float
    secrets: tuple[str, str] = field(repr=False)

    def in_memory(self, text: str) -> list[str]:
        """Return where a text is in what the kernel shows of the agent's processes."""
        wanted = list(forms(text).values())
        return [
            str(file)
            for process in self.box.processes()
            for file in (process / "environ", process / "cmdline", process / "mem")
            if any(each in piece for piece in _pieces(file) for each in wanted)
        ]


def _pieces(file: Path) -> Iterator[bytes]:
    """Yield what a file of a process contains; of its memory each part that can be read."""
    if file.name != "mem":
        yield file.read_bytes()
        return
    maps = (file.parent / "maps").read_text().splitlines()
    with file.open("rb") as memory:
        for area in maps:
            where, rights, *_ = area.split()
            first, end = (int(each, 16) for each in where.split("-"))
            if rights.startswith("r") and "[v" not in area:
                with suppress(OSError, OverflowError, ValueError):
                    memory.seek(first)
                    yield memory.read(end - first)


async def _answer(connection: Connection, received: Received) -> None:
    """Play all of the APIs; one of them shows the request, with the credential in it."""
    of_path = {
        "/v1/messages": answers.anthropic_message(),
        "/v1/chat/completions": answers.openai_stream(),
        "/v1/customers": answers.stripe_customer(),
    }
    if given := of_path.get(received.target):
        await given(connection, received)
    else:
        await connection.send(response(received.head, "text/plain", **{"X-Echo": _shown(received)}))


def _shown(received: Received) -> str:
    return " ".join(received.all("Authorization"))


@pytest.fixture(scope="module")
def box(certificate: Certificate) -> Iterator[Box]:
    """The agent's place, with the commands of the page for three SDKs."""
    with another_users_box() as box:
        (box.directory / "authority.pem").write_bytes(certificate.ca_file.read_bytes())
        (box.directory / "node_modules").symlink_to(packages())
        (box.directory / "recipe.mjs").write_text(recipe("openai, a stream", "javascript"))
        work = [recipe(each, "python") for each in ("anthropic", "openai, a stream", "stripe")]
        (box.directory / "work.py").write_text("\n".join((*work, _ECHO)))
        yield box


@pytest.fixture(scope="module")
def ran(
    box: Box, api: Strongroom, front: Nginx, account: Account, recording: Recorder
) -> Iterator[Ran]:
    assert front.url
    canary = f"canary-{token_hex(16)}"
    assert account.create("THE_KEY", canary).ok
    command = [str(Path(sys.executable).with_name("strongroom")), "run"]
    for name in ("anthropic", "openai", "stripe"):
        config = shipped_config(name, recording.port, "the box")
        assert account.call("POST", "/v1/gateway-configs", config).ok
        command += ["--gateway", f"{name.upper()}={config['name']}:THE_KEY"]
    recording.clear()
    recording.answer = _answer
    script = f"'{require('node')}' recipe.mjs && '{python()}' work.py; exit $?"
    environment = {
        **box.environment,
        **dict.fromkeys(TRUST, str(box.directory / "authority.pem")),
        "RUNLOOP_BASE_URL": api.url,
        "RUNLOOP_API_KEY": account.token,
    }
    process = box.start([*command, "--", "sh", "-c", script], environment)
    try:
        printed = _until_ready(process)
        started = (box.directory / "authority.pem").stat().st_mtime  # before all others
        yield Ran(box, printed, started, (canary, account.token))
    finally:
        process.communicate("\n", _SECONDS)
        recording.clear()


def _until_ready(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        if line == _READY:
            return "".join(lines)
        lines.append(line)
    pytest.fail(f"it ended before: {''.join(lines)}")


@pytest.fixture(scope="module")
def token(ran: Ran) -> str:
    """A token of the agent, as its environment has it; every search must find this one."""
    (process, *_) = ran.box.processes()
    entries = (process / "environ").read_bytes().split(b"\0")
    (found,) = (each.removeprefix(b"OPENAI=") for each in entries if each.startswith(b"OPENAI="))
    assert found.startswith(b"gws_")
    return found.decode()


def look_around(ran: Ran, directories: Iterable[Path], **texts: str) -> dict[str, list[str]]:
    """Have the agent's user look for texts. Returns what it read, and where each of them was."""
    started = str(ran.started)
    command = [sys.executable, str(_LOOK), started, *map(str, directories)]
    looking = ran.box.start(command, ran.box.environment)
    needles = {name: [*map(bytes.hex, forms(text).values())] for name, text in texts.items()}
    printed, _ = looking.communicate(json.dumps(needles), _SECONDS)
    assert looking.returncode == 0, printed
    return dict(json.loads(printed))


def test_each_request_of_the_sdks_had_the_credential_once(ran: Ran, recording: Recorder) -> None:
    canary, api_key = ran.secrets
    lines = [each.request_line.split()[1] for each in recording.requests]
    chat = "/v1/chat/completions"
    assert lines == [chat, "/v1/messages", chat, "/v1/customers", "/v1/echo"]
    raw = bytes(recording.raw)
    assert (raw.count(canary.encode()), raw.count(b"gws_")) == (len(lines), 0)
    assert api_key.encode() not in raw


def test_no_answer_showed_it_to_the_agent(ran: Ran) -> None:
    assert "200" in ran.printed
    assert ran.printed.count("[masked]") == 2  # in a header and in the body
    for secret in ran.secrets:
        assert found_in(ran.printed.encode(), secret) == []


def test_neither_environment_nor_memory_of_its_processes_has_it(ran: Ran, token: str) -> None:
    assert ran.in_memory(token)
    for secret in ran.secrets:
        assert ran.in_memory(secret) == []


def test_no_file_and_no_process_that_its_user_can_read_has_it(
    ran: Ran, token: str, api: Strongroom, sockets: Path
) -> None:
    canary, api_key = ran.secrets
    places = (ran.box.directory, api.home, sockets)
    seen = look_around(ran, places, canary=canary, api_key=api_key, token=token)
    assert seen["token"]
    assert str(ran.box.directory / "work.py") in seen["read"]
    assert [each for each in seen["read"] if each.startswith(str(api.home))] == []
    assert (seen["canary"], seen["api_key"]) == ([], [])


@pytest.mark.parametrize("name", ["admission.sock", "server.sock", "gateway.sock"])
def test_its_user_reaches_no_socket_of_ours(ran: Ran, sockets: Path, name: str) -> None:
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    assert (sockets / name).is_socket()
    asking = ran.box.start([sys.executable, "-c", program, str(sockets / name)], {})
    printed, _ = asking.communicate(timeout=_SECONDS)
    assert "PermissionError" in printed
