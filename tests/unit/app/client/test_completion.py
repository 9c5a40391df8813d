"""Completion in the shells themselves, with names of secrets from the server."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from app.cli.main import strongroom
from app.client.api import Server
from app.client.completion import secret_names
from app.client.secret.get_secret import get_secret
from tests.support.completion import completions
from tests.support.ports import free_port
from tests.support.programs import require
from tests.unit.app.client.protocol_server import ProtocolServer
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

PROMPT = "ready> "
_PAGE = (Path(__file__).parents[4] / "docs" / "command.md").read_text()
_LINE = re.compile(r"^\| (bash|zsh|fish)\b.*\| `(.*)` \|$", re.MULTILINE)
SETUP = {shell: line.replace("\\|", "|") for shell, line in _LINE.findall(_PAGE)}
FIRST = {"bash": "", "zsh": "autoload -Uz compinit; compinit -u -D; "}
INTERACTIVE = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}

Complete = Callable[..., list[str]]


@pytest.fixture
def server(server: ProtocolServer) -> ProtocolServer:
    server.secrets = {"PASSWORD": "of-the-database", "TOKEN": "a-token", "PROXY": "a-proxy"}
    return server


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PS1": PROMPT, "TERM": "xterm"}


@pytest.fixture(params=INTERACTIVE)
def user(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path
) -> Iterator[PseudoTerminal]:
    """A user in front of a shell that completes."""
    shell = request.param
    command = [require(shell), *INTERACTIVE[shell]]
    with PseudoTerminal(command, environment, tmp_path) as user:
        user.expect(PROMPT)
        user.type(f"{FIRST[shell]}{SETUP[shell]}\n")
        user.expect(PROMPT)
        yield user


@pytest.fixture
def complete(environment: dict[str, str]) -> Complete:
    return lambda *words, **more: completions(environment | more, *words)


def test_a_name_is_completed(user: PseudoTerminal) -> None:
    user.type("strongroom secret get PAS\t\n")
    user.expect("name: +PASSWORD")


def test_the_name_for_a_variable_is_completed(user: PseudoTerminal) -> None:
    user.type("strongroom run --secret DB=PAS\t -- sh -c 'echo got-$DB'\n")
    user.expect("got-of-the-database")


def test_fish_completes_names_and_commands(environment: dict[str, str], tmp_path: Path) -> None:
    lines = ("strongroom secret get PAS", "strongroom run --secret DB=PAS", "strongroom keyr")
    asked = "; ".join(f"complete -C '{line}'" for line in lines)
    ended = subprocess.run(
        [require("fish"), "--no-config", "-c", f"{SETUP['fish']}; {asked}"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = [line.partition("\t")[0] for line in ended.stdout.splitlines()]
    assert found == ["PASSWORD", "DB=PASSWORD", "keyring"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("secret", "get", "P"), ["PASSWORD", "PROXY"]),
        (("secret", "set", "TO"), ["TOKEN"]),
        (("secret", "delete", "TOKEN", "PA"), ["PASSWORD"]),
        (("secret", "history", "TO"), ["TOKEN"]),
        (("secret", "rollback", "PA"), ["PASSWORD"]),
        (("run", "--secret", "T"), ["TOKEN"]),
        (("run", "--secret", "DB", "=", "PR"), ["PROXY"]),
        (("run", "--secret", "DB", "="), ["PASSWORD", "PROXY", "TOKEN"]),
        (("run", "--secret", "=", "DB", "=", "PR"), ["PROXY"]),
        (("run", "--secret", "DB=PR"), ["DB=PROXY"]),
        (("run", "--file", "DB", "=", "PR"), ["PROXY"]),
        (("token", "--secret", "T"), ["TOKEN"]),
        (("secret", "get", "NONE"), []),
    ],
)
def test_bash_is_given_what_begins_so(
    words: tuple[str, ...], found: list[str], complete: Complete
) -> None:
    assert complete(*words) == found


def test_every_command_is_completed(complete: Complete) -> None:
    context = strongroom.make_context("strongroom", [], resilient_parsing=True)
    assert complete("") == strongroom.list_commands(context)


def test_no_name_can_be_more_to_a_shell_than_a_name(
    server: ProtocolServer, complete: Complete
) -> None:
    server.secrets = dict.fromkeys(["A$(id)", "A;id", "A*", "A B", "AB"], "x")
    assert complete("secret", "get", "A") == ["AB"]


@pytest.mark.parametrize(
    "changed",
    [
        {"RUNLOOP_API_KEY": ""},
        {"RUNLOOP_BASE_URL": ""},
        {"RUNLOOP_BASE_URL": f"http://127.0.0.1:{free_port()}"},
        {"RUNLOOP_BASE_URL": "http://strongroom.invalid"},
        {"RUNLOOP_API_KEY": "ak_wrong"},
    ],
    ids=["no key", "no server", "nobody listens", "no such host", "a wrong key"],
)
def test_a_failure_is_silent(changed: dict[str, str], complete: Complete) -> None:
    assert complete("secret", "get", "P", **changed) == []


def test_a_server_that_does_not_answer_is_given_up(complete: Complete) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        assert complete("secret", "get", "P", RUNLOOP_BASE_URL=url) == []


def test_the_api_key_is_sent_to_no_other_machine_in_clear(environment: dict[str, str]) -> None:
    environ = environment | {"RUNLOOP_BASE_URL": "http://192.0.2.1"}
    context = click.Context(get_secret, obj=environ)
    with patch.object(Server, "account") as account:
        assert secret_names(context, get_secret.params[0], "P") == []
    assert not account.called
