"""``redeem`` shows neither token nor value: not in a message, not in /proc, not in a core file."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from shlex import quote

import pytest

from tests.unit.app.client.conftest import Redeem
from tests.unit.app.client.core_files import WANTED, core_files, require_core_files
from tests.unit.app.client.protocol_server import Answer, ProtocolServer, refusal

NAMES = {"HELLO": "GREETING"}


def test_no_message_contains_a_value_or_the_token(server: ProtocolServer, redeem: Redeem) -> None:
    server.secrets["LARGE"] = "canary-" + "x" * 131_072
    token = server.issue({"LD_PRELOAD": "GREETING", "BIG": "LARGE", "HOME": "GREETING"})
    echo = refusal(400, "bad", f"You sent {token}\x1b[2J")
    server.troubles.append(lambda _, __: echo)
    messages = redeem("--", "true", token=token).stderr + redeem("--", "true", token=token).stderr
    assert "You sent" in messages
    assert "LD_PRELOAD" in messages
    assert not [each for each in ("canary-", token, "\x1b") if each in messages]


def test_a_token_that_is_echoed_at_the_end_of_a_long_message_is_hidden_whole(
    server: ProtocolServer, redeem: Redeem
) -> None:
    token = server.issue(NAMES)
    for length in range(400, 500, 9):
        server.troubles.append(partial(answer_with, refusal(400, "bad", "x" * length + token)))
        assert "Canary" not in redeem("--", "true", token=token).stderr


def answer_with(answer: Answer, _: object, __: object) -> Answer:
    return answer


MISPLACED = {
    "alone": ["{}", "--", "true"],
    "as an unknown option": ["--token={}", "--", "true"],
    "as a value of a switch": ["--override={}", "--", "true"],
    "as the format": ["--format", "{}", "--output", "x"],
    "as the time": ["--timeout", "it's {}", "--", "true"],
    "as the file": ["--token-file", "{}", "--", "true"],
    "as the output": ["--format", "json", "--output", "{}/x", "--", "true"],
    "as the command": ["--", "{}"],
}


@pytest.mark.parametrize("arguments", MISPLACED.values(), ids=MISPLACED)
def test_a_token_in_a_wrong_option_is_not_repeated(redeem: Redeem, arguments: list[str]) -> None:
    token = "injt_CanaryAccount_000000000000000000000_CanaryTokenSecret0123456789"
    refused = redeem(*(each.format(token) for each in arguments), token="injt_x")
    assert refused.returncode in {125, 127}
    assert "Canary" not in refused.stderr


@pytest.mark.parametrize("arguments", [["canary"], ["--canary=x"], ["--timeout=canary"]])
def test_an_unknown_argument_is_not_repeated(redeem: Redeem, arguments: list[str]) -> None:
    assert "canary" not in redeem(*arguments, "--", "true", token="injt_x").stderr


def processes(file: str) -> dict[str, bytes]:
    """One file of every process in /proc that still exists."""
    found = {}
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        try:
            found[path.parent.name] = path.read_bytes()
        except OSError:
            continue
    return found


def test_while_redeeming_neither_token_nor_value_is_visible_in_proc(
    server: ProtocolServer, redeem: Redeem
) -> None:
    token = server.issue(NAMES)
    seen: list[str] = []

    def look_around(_: object, __: object) -> Answer:
        for file in ("cmdline", "environ"):
            found = processes(file).items()
            seen.extend(f"{pid}/{file}" for pid, text in found if token.encode() in text)
        return refusal(401, "seen", "Seen.")

    server.troubles.append(look_around)
    assert redeem("--", "true", token=token).returncode == 123
    assert seen == []


def test_a_crash_while_redeeming_leaves_no_core_file(server: ProtocolServer, image: Path) -> None:
    require_core_files(image.parent)

    def crash(_: object, __: object) -> None:
        own = [pid for pid, line in processes("cmdline").items() if str(image).encode() in line]
        for pid in own:
            os.kill(int(pid), signal.SIGABRT)

    server.troubles.append(crash)
    token = server.issue(NAMES)
    environment = {"RUNLOOP_BASE_URL": server.url, "STRONGROOM_INJECTION_TOKEN": token}
    script = f"{WANTED}exec {quote(sys.executable)} -I {image} -- true"
    result = subprocess.run(["sh", "-c", script], env=environment, cwd=image.parent, check=False)
    assert result.returncode == -signal.SIGABRT
    assert core_files(image.parent) == []
