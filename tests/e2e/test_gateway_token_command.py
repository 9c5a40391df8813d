"""``strongroom gateway-token`` against the real server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests.support.strongroom import Strongroom, running

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    with TemporaryDirectory(prefix="strongroom-") as directory:
        settings = {
            "STRONGROOM_GATEWAY_URL": "https://gw.strongroom.test",
            "STRONGROOM_GATEWAY_SOCKET": f"{directory}/admission.sock",
        }
        with running(tmp_path_factory.mktemp("gateway-tokens"), settings) as server:
            yield server


@pytest.fixture
def mint(server: Strongroom) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Mints a token for a box. Each test has boxes of its own."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=30) as client:
        client.post("/v1/secrets", json={"name": "KEY", "value": "a credential"})

        def made(box: str) -> dict[str, Any]:
            answer = client.post(
                f"/v1/devboxes/{box}/create_gateway_token",
                json={"gateway": "anthropic", "secret": "KEY"},
            )
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        yield made


@pytest.fixture
def command(server: Strongroom, tmp_path: Path) -> Command:
    """Run ``strongroom gateway-token`` as a user of the first account does."""

    def run(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251
        return subprocess.run(
            ["strongroom", "gateway-token", *arguments],
            env={"PATH": path, "HOME": str(tmp_path), **server.client_environment, **more},
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )

    return run


def listed(command: Command, *arguments: str) -> dict[str, str]:
    """The states of tokens by id."""
    rows = json.loads(command("list", "--json", *arguments).stdout)
    return {row["id"]: row["status"] for row in rows}


def test_live_tokens_of_a_box_are_listed_without_themselves(
    command: Command, mint: Callable[[str], dict[str, Any]]
) -> None:
    first, second = mint("listed"), mint("listed")
    mint("listed-not")
    shown = command("list", "--box", "listed")
    assert shown.returncode == 0, shown.stderr
    assert first["token"] not in shown.stdout
    assert "KEY" in shown.stdout
    assert listed(command, "--box", "listed") == {second["id"]: "live", first["id"]: "live"}


def test_a_token_is_revoked_by_its_id(
    command: Command, mint: Callable[[str], dict[str, Any]]
) -> None:
    first, second = mint("one"), mint("one")
    revoked = command("revoke", first["id"])
    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert f"{first['id']}: revoked" in revoked.stderr
    assert listed(command, "--box", "one") == {second["id"]: "live"}
    assert listed(command, "--box", "one", "--all")[first["id"]] == "revoked"


def test_all_tokens_of_a_box_are_revoked(
    command: Command, mint: Callable[[str], dict[str, Any]]
) -> None:
    kept = mint("other")
    for _ in range(2):
        mint("ended")
    assert "2 gateway tokens revoked" in command("revoke", "--box", "ended").stderr
    assert "0 gateway tokens revoked" in command("revoke", "--box", "ended").stderr
    assert listed(command, "--box", "ended") == {}
    assert listed(command, "--box", "other") == {kept["id"]: "live"}


def test_a_token_in_place_of_its_id_is_neither_sent_nor_repeated(
    command: Command, mint: Callable[[str], dict[str, Any]]
) -> None:
    minted = mint("mistaken")
    refused = command("revoke", minted["token"])
    assert refused.returncode == 125
    assert minted["token"] not in refused.stdout + refused.stderr
    assert "gwt_" in refused.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("gwt_0000000000000000000000", "--box", "x")], ids=["neither", "both"]
)
def test_what_to_revoke_is_named_in_one_way(command: Command, arguments: tuple[str, ...]) -> None:
    refused = command("revoke", *arguments)
    assert refused.returncode == 125
    assert "either the ids of tokens or a --box" in refused.stderr


def test_a_token_that_is_not_there_is_refused(command: Command) -> None:
    refused = command("revoke", "gwt_0000000000000000000000")
    assert refused.returncode != 0
    assert "Gateway token not found" in refused.stderr
