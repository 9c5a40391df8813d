"""``redeem --format dotenv``: ``sh`` and dotenv libraries read the same, or nothing is written."""

import subprocess
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.redeem import _dotenv_quoted
from tests.unit.app.client.conftest import Redeem
from tests.unit.app.client.protocol_server import ProtocolServer

READ_ALIKE = {
    "EMPTY": "",
    "PLAIN": "canary-plain",
    "LINES": "first\nsecond\n\n",
    "SINGLE": "it's",
    "DOUBLE": 'say "hi"',
    "DOLLAR": "$HOME $(id) `id` !! #no-comment",
    "SPACES": "  around\t",
    "UNICODE": "pässwörd 🔑\u2028",
    "JSON": '{"private_key": "-----BEGIN\\nabc=\\n", "path": "C:\\temp"}',
}
READ_DIFFERENTLY = {
    "SHARE": r"\\server\share",
    "BACKSLASH": "ends in \\",
    "EXPANDED": "a ${HOME} b",
    "DEFAULT": "${NO_SUCH:-default}",
    "RETURN": "first\r\nsecond",
    "BOTH": """it's "both" """,
    "SINGLE_DOLLAR": "it's $HOME",
    "SINGLE_BACKTICK": "it's `id`",
    "SINGLE_BACKSLASH": r"it's C:\new",
}


@pytest.fixture
def output(memory: Path) -> Path:
    return memory / "secrets.env"


def read_by_sh(file: Path, names: list[str]) -> dict[str, str]:
    show = "".join(f"printf '%s\\0' \"${name}\"; " for name in names)
    result = subprocess.run(["sh", "-c", f". {file}; {show}"], capture_output=True, check=True)
    return dict(zip(names, result.stdout.decode().split("\0"), strict=False))


def test_sh_and_python_read_every_value_back(
    server: ProtocolServer, redeem: Redeem, output: Path
) -> None:
    server.secrets.update(READ_ALIKE)
    token = server.issue({name: name for name in READ_ALIKE})
    assert redeem("--format", "dotenv", "--output", str(output), token=token).returncode == 0
    assert dotenv_values(output) == READ_ALIKE
    assert read_by_sh(output, [*READ_ALIKE]) == READ_ALIKE


def test_values_that_dotenv_readers_disagree_on_are_named_and_not_written(
    server: ProtocolServer, redeem: Redeem, output: Path
) -> None:
    server.secrets.update({**READ_ALIKE, **READ_DIFFERENTLY})
    token = server.issue({name: name for name in [*READ_ALIKE, *READ_DIFFERENTLY]})
    refused = redeem("--format", "dotenv", "--output", str(output), token=token)
    assert refused.returncode == 125
    named = {line.split()[0] for line in refused.stderr.splitlines() if "disagree" in line}
    assert named == READ_DIFFERENTLY.keys()
    assert "--format json" in refused.stderr
    assert list(output.parent.glob("*.env*")) == []


@settings(deadline=None)  # it starts a process
@given(st.text(st.sampled_from("ab'\"\\$`{}:-nru#\n\r \u2028é!=")))
def test_no_line_that_is_written_is_read_differently(value: str) -> None:
    quoted = _dotenv_quoted(value)
    if quoted is not None:
        script = f'NAME={quoted}\nprintf %s "$NAME"'
        shown = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
        assert shown.stdout.decode() == value
        assert dotenv_values(stream=StringIO(f"NAME={quoted}\n")) == {"NAME": value}
