"""``strongroom secret`` and ``strongroom token`` against the real server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.canaries import canary, found_in
from tests.support.faulty_proxy import FaultyProxy, truncate
from tests.support.strongroom import Strongroom, running

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    with running(tmp_path_factory.mktemp("secrets")) as server:
        yield server


@pytest.fixture
def command(server: Strongroom, tmp_path: Path) -> Command:
    """Run ``strongroom`` as a user of the first account does."""

    def run(
        *arguments: str, given: bytes = b"", **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251
        return subprocess.run(
            ["strongroom", *arguments],
            env={"PATH": path, "HOME": str(tmp_path), **server.client_environment, **more},
            cwd=tmp_path,
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return run


def shown(command: Command, *arguments: str) -> Any:
    return json.loads(command("secret", *arguments, "--json").stdout)


VALUES = ["a", " a\n", "\r\n\t\x1b[0m", "'\"$`\\ö🗝", "x" * 65_536, '{"a": "\\u0000"}']


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_byte_for_byte(command: Command, value: str) -> None:
    assert command("secret", "set", "EXACT", given=value.encode()).returncode == 0
    exported = command("secret", "export", "--secret", "EXACT", "--format", "json").stdout
    assert json.loads(exported) == {"EXACT": value}


def test_a_secret_is_created_then_replaced_and_new_refuses_it(command: Command) -> None:
    first, second = (command("secret", "set", "TWICE", given=b"a value") for _ in range(2))
    third = command("secret", "set", "--new", "TWICE", given=b"a value")
    assert first.stderr.endswith(b"TWICE: created\n")
    assert second.stderr.endswith(b"TWICE: replaced\n")
    assert (third.returncode, b"secret_name_exists" in third.stderr) == (123, True)


def test_list_and_get_show_what_the_api_shows(command: Command) -> None:
    command("secret", "set", "SHOWN", given=b"a value")
    one = shown(command, "get", "SHOWN")
    assert list(one) == ["id", "name", "create_time_ms", "update_time_ms"]
    assert shown(command, "list", "--search", "shown") == [one]
    assert shown(command, "get", one["id"]) == one
    assert shown(command, "list", "--search", "shown", "--older", "1m") == []


def test_a_lost_response_to_a_creation_is_no_refusal(server: Strongroom, command: Command) -> None:
    with (
        closing(FaultyProxy(server.url.removeprefix("http://"))) as proxy,
        proxy.failing(truncate(20), times=1),
    ):
        url = f"http://{proxy.host}"
        made = command("secret", "set", "--new", "LOST", given=b"a value", RUNLOOP_BASE_URL=url)
    assert (made.returncode, made.stderr.endswith(b"LOST: created\n")) == (0, True)


def test_a_deleted_secret_is_gone(command: Command) -> None:
    command("secret", "set", "GONE", given=b"a value")
    assert command("secret", "delete", "--yes", "GONE").returncode == 0
    assert command("secret", "get", "GONE").returncode == 123


def test_a_token_is_redeemed_once(command: Command) -> None:
    command("secret", "set", "GIVEN", given=b"the value")
    token = command("token", "--secret", "GIVEN", "--ttl", "60s").stdout.decode().strip()
    again = [
        command("redeem", "--", "sh", "-c", "echo $GIVEN", STRONGROOM_INJECTION_TOKEN=token)
        for _ in range(2)
    ]
    assert [(each.returncode, each.stdout) for each in again] == [(0, b"the value\n"), (123, b"")]


def test_a_key_that_may_only_write_can_set(server: Strongroom, command: Command) -> None:
    account = json.loads(server.command("account", "list", "--json").stdout)[0]["id"]
    made = server.command("api-key", "create", account, "--scope", "secrets:write", "--json")
    key = json.loads(made.stdout)["key_secret"]
    assert command("secret", "set", "WRITTEN", given=b"x", RUNLOOP_API_KEY=key).returncode == 0


def test_a_name_that_the_deployment_does_not_admit_is_refused_with_its_rule(
    command: Command,
) -> None:
    refused = command("secret", "set", "with-hyphen", given=b"a value")
    assert (refused.returncode, b"STRONGROOM_NAME_POLICY" in refused.stderr) == (123, True)


def test_no_value_is_in_an_output_or_in_the_log(server: Strongroom, command: Command) -> None:
    outputs = [
        command("secret", "set", "SEEN", given=canary(1).encode()),
        command("secret", "set", "SEEN", given=canary(2).encode()),
        command("secret", "set", "SEEN", "--new", given=canary(3).encode()),
        command("secret", "set", "with-hyphen", given=canary(4).encode()),
        command("secret", "get", "SEEN"),
        command("secret", "list", "--json"),
        command("secret", "delete", "SEEN", "--yes"),
    ]
    printed = b"".join(each.stdout + each.stderr for each in outputs)
    assert found_in(printed) == []
    assert found_in(server.log.read_bytes()) == []
