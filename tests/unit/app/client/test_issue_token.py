"""``strongroom token``: a token alone, which another process redeems once."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Redeem
from tests.unit.app.client.protocol_server import ProtocolServer

Token = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def token(environment: dict[str, str], tmp_path: Path) -> Token:
    """Run ``strongroom token``."""

    def run(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["strongroom", "token", *arguments],
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_token_alone_is_printed(token: Token, server: ProtocolServer) -> None:
    result = token("--secret", "HI=GREETING")
    ((issued, names),) = server.tokens.items()
    assert (result.stdout, result.stderr, names) == (f"{issued}\n", "", {"HI": "GREETING"})


def test_another_process_redeems_it(token: Token, redeem: Redeem) -> None:
    issued = token("--all").stdout.strip()
    assert redeem("--", "sh", "-c", "echo $GREETING", token=issued).stdout == "canary-hello\n"


@pytest.mark.parametrize(
    ("given", "seconds"),
    [((), 300), (("--ttl", "1s"), 1), (("--ttl", "60s"), 60), (("--ttl", "1d"), 86_400)],
)
def test_the_lifetime_is_asked_for_in_seconds(
    token: Token, server: ProtocolServer, given: tuple[str, ...], seconds: int
) -> None:
    assert token("--secret", "GREETING", *given).returncode == 0
    assert server.exchanges[0].body["ttl_seconds"] == seconds


@pytest.mark.parametrize("span", ["0s", "25h", "2d", "60", "-1s", "1w"])
def test_another_lifetime_is_refused_before_the_server_is_asked(
    token: Token, server: ProtocolServer, span: str
) -> None:
    result = token("--secret", "GREETING", "--ttl", span)
    assert (result.returncode, "--ttl" in result.stderr, server.exchanges) == (125, True, [])


def test_all_faults_are_named_at_once(token: Token, server: ProtocolServer) -> None:
    result = token("--secret", "LD_PRELOAD=GREETING", "--ttl", "0s", RUNLOOP_BASE_URL="")
    named = ["LD_PRELOAD", "--ttl", "RUNLOOP_BASE_URL"]
    assert (result.returncode, [each for each in named if each not in result.stderr]) == (125, [])
    assert server.exchanges == []


def test_a_missing_secret_is_named(token: Token) -> None:
    result = token("--secret", "MISSING")
    assert (result.returncode, result.stdout, "MISSING" in result.stderr) == (123, "", True)


def test_one_token_is_not_for_more_than_an_injection_has_room_for(
    token: Token, server: ProtocolServer
) -> None:
    server.secrets = {f"S_{i}": "canary" for i in range(257)}
    result = token("--all")
    assert (result.returncode, "1 to 256 secrets" in result.stderr) == (125, True)
    assert server.tokens == {}


def test_all_names_in_one_line_what_the_token_is_not_for(
    token: Token, server: ProtocolServer
) -> None:
    server.secrets = {"PATH": "canary", "GREETING": "canary"}
    result = token("--all")
    assert result.stderr.startswith("strongroom token: --all left out 1 of 2: PATH (")
    assert [*server.tokens.values()] == [{"GREETING": "GREETING"}]
