"""``redeem --format docker``: ``docker run --env-file`` reads each value back, or nothing."""

from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Redeem
from tests.unit.app.client.protocol_server import ProtocolServer

CARRIED = {
    "EMPTY": "",
    "PLAIN": "canary-plain",
    "SPACES": "  around\t",
    "COMMENT": "# none",
    "EQUALS": "a=b=c",
    "QUOTES": """it's "both" """,
    "ONE_QUOTE": '"',
    "DOLLAR": "$HOME ${HOME} `id` \\",
    "UNICODE": "pässwörd 🔑\u2028\x85",
    "LONG": "x" * (65_535 - len("LONG=")),
}


@pytest.fixture
def output(memory: Path) -> Path:
    return memory / "secrets.env"


def read_by_docker(file: Path) -> dict[str, str]:
    """Read as docker/cli does, opts/file.go: lines of bufio's scanner, nothing unquoted."""
    lines = [line.removesuffix(b"\r") for line in file.read_bytes().split(b"\n")]
    texts = [line.decode().lstrip() for line in lines]
    entries = [text.partition("=") for text in texts if text and not text.startswith("#")]
    return {name: value for name, _, value in entries}


def test_docker_reads_every_value_back(
    server: ProtocolServer, redeem: Redeem, output: Path
) -> None:
    server.secrets.update(CARRIED)
    token = server.issue({name: name for name in CARRIED})
    assert redeem("--format", "docker", "--output", str(output), token=token).returncode == 0
    assert read_by_docker(output) == CARRIED


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("canary\nsecond", "line ends"),
        ("canary\n", "line ends"),
        ("canary\r", "line ends"),
        ('"canary"', "in quotes"),
        ("'canary'", "in quotes"),
        ("canary" + "x" * 65_536, "64 KiB"),
    ],
)
def test_a_value_that_docker_would_change_is_refused_by_its_name(
    server: ProtocolServer, redeem: Redeem, output: Path, value: str, reason: str
) -> None:
    server.secrets["CHANGED"] = value
    token = server.issue({"CHANGED": "CHANGED", "GREETING": "GREETING"})
    result = redeem("--format", "docker", "--output", str(output), token=token)
    assert (result.returncode, output.exists()) == (125, False)
    assert "CHANGED has a value" in result.stderr
    assert reason in result.stderr
    assert "canary" not in result.stderr
