"""``strongroom run --gateway``: a command calls an API with a credential that it cannot see."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from tests.support import databases
from tests.support.gateway.git_server import git_server
from tests.support.gateway.indexes import npm_registry, python_index
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import Connection, Received, Recorder, recorder, response
from tests.support.ports import free_port
from tests.support.preloaded import run_command, start_command
from tests.support.programs import require
from tests.support.ready_home import copy_ready_home
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

CANARY = "canary-7f3a9d-of-the-agent"
GIT_CANARY = "canary-of-git-51c2"
_SECONDS = 120.0


@dataclass(frozen=True)
class Account:
    """The first account of a server that runs beside its gateway."""

    server: Strongroom

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        key = self.server.api_key
        response = requests.post(
            self.server.url + path,
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )
        assert response.ok, response.text
        return dict(response.json())

    def run(
        self, directory: Path, *arguments: str, command: str = "run", **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run the client's command, with nothing of the server's but its URL and the API key."""
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
            "HOME": str(directory),
            "GIT_TERMINAL_PROMPT": "0",
            **self.server.client_environment,
            **more,
        }
        return run_command((command, *arguments), environment, directory, b"")

    def run_behind(self, directory: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """Run a command with the token of the API, as a user who could also read the home."""
        options = ("--gateway", "API=recorded:API_KEY", "--same-user")
        done = self.run(directory, *options, *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done


@pytest.fixture(scope="module")
def upstream() -> Iterator[Recorder]:
    with LoopThread() as thread, thread.entered(recorder()) as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def forgetful(upstream: Recorder) -> None:
    upstream.clear()


@pytest.fixture(scope="module")
def account(
    tmp_path_factory: pytest.TempPathFactory, upstream: Recorder, git: str
) -> Iterator[Account]:
    """A server with its gateway, as ``make run`` starts them."""
    directory, port, gateway_port = tmp_path_factory.mktemp("both"), free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
        "STRONGROOM_HOME": str(home := directory / "home"),
        "STRONGROOM_GATEWAY_SOCKET": f"/tmp/run-{port}.sock",  # noqa: S108 - short
        "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
        "PORT": str(port),
        "STRONGROOM_GATEWAY_PORT": str(gateway_port),
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_GATEWAY_WORKERS": "1",
        **databases.chosen.settings(home),
    }
    copy_ready_home(home, f"http://127.0.0.1:{port}")
    log = directory / "log"
    program = start_command(("serve",), environment, log, log)
    try:
        server = Strongroom(home, environment, log)
        server.wait_until_ready()
        wait_until(lambda: _answers(f"http://127.0.0.1:{gateway_port}"), _SECONDS)
        account = Account(server)
        for name, value in (("API_KEY", CANARY), ("GIT_LOGIN", f"robot:{GIT_CANARY}")):
            account.post("/v1/secrets", {"name": name, "value": value})
        _config(account, "recorded", f"http://localhost:{upstream.port}", "bearer")
        _config(account, "local-git", git, "basic")
        yield account
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(_SECONDS)


def _config(account: Account, name: str, endpoint: str, kind: str) -> None:
    body = {"name": name, "endpoint": endpoint, "auth_mechanism": {"type": kind}}
    account.post("/v1/gateway-configs", body)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a git server with an empty repository, ``team/project.git``."""
    with git_server(tmp_path_factory.mktemp("repositories"), f"robot:{GIT_CANARY}") as server:
        yield f"http://localhost:{server.port}"


def test_the_upstream_gets_the_credential_and_the_command_its_answer(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    require("curl")
    script = 'curl -sS -H "Authorization: Bearer $API" "$API_URL/v1/models"'
    assert account.run_behind(tmp_path, "--", "sh", "-c", script).stdout == b"hello"
    (received,) = upstream.requests
    assert received.target == "/v1/models"
    assert received.all("Authorization") == [f"Bearer {CANARY}"]
    assert b"gws_" not in bytes(upstream.raw)


def test_the_command_sees_the_value_nowhere(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    async def echo(connection: Connection, received: Received) -> None:
        await connection.send(response(received.head, "text/plain"))

    upstream.answer = echo
    require("curl")
    script = (
        "env; tr '\\0' '\\n' < /proc/self/environ; tr '\\0' '\\n' < /proc/$$/environ;"
        "cat /proc/$$/cmdline; ls -la /proc/$$/fd;"
        'curl -sSi -H "Authorization: Bearer $API" "$API_URL/v1/echo"'
    )
    done = account.run_behind(tmp_path, "--", "sh", "-c", script)
    assert b"API=gws_" in done.stdout
    assert b"Bearer [masked]" in done.stdout
    assert CANARY.encode() not in done.stdout + done.stderr
    assert account.server.api_key.encode() not in done.stdout + done.stderr


def test_a_masked_command_does_not_print_its_token(account: Account, tmp_path: Path) -> None:
    done = account.run_behind(tmp_path, "--mask", "--", "sh", "-c", 'echo "$API at $API_URL"')
    assert done.stdout.startswith(b"[masked] at http://127.0.0.1:")


def test_revoking_the_injection_ends_the_token(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    gateways = {"API": {"gateway": "recorded", "secret": "API_KEY"}}
    made = account.post("/v1/injections", {"secrets": {}, "gateways": gateways})
    require("curl")
    call = 'curl -s -o out -w "%{http_code}" -H "Authorization: Bearer $API" "$API_URL/v1/x"'
    script = f"{call}; read line < go; {call}"
    os.mkfifo(tmp_path / "go")

    def revoke() -> None:
        try:
            wait_until(lambda: bool(upstream.requests), _SECONDS)
            account.post(f"/v1/injections/{made['id']}/revoke", {})
        finally:
            (tmp_path / "go").write_text("go\n")

    revoking = Thread(target=revoke)
    revoking.start()
    token = {"STRONGROOM_INJECTION_TOKEN": made["token"]}
    done = account.run(
        tmp_path, "--", "sh", "-c", f"cd '{tmp_path}'; {script}", command="redeem", **token
    )
    revoking.join()
    assert (done.stdout, done.returncode) == (b"200401", 0), done.stderr.decode()
    assert len(upstream.requests) == 1


def test_redeem_sets_the_variables_of_an_sdk(account: Account, tmp_path: Path) -> None:
    made = account.run(tmp_path, "--gateway", "OPENAI=recorded:API_KEY", command="token")
    token = {"STRONGROOM_INJECTION_TOKEN": made.stdout.decode().strip()}
    script = 'test "$OPENAI_API_KEY" = "$OPENAI" && echo "${OPENAI_BASE_URL#$OPENAI_URL}"'
    done = account.run(
        tmp_path, "--sdk", "openai", "--", "sh", "-c", script, command="redeem", **token
    )
    assert done.stdout == b"/v1\n", done.stderr.decode()


def test_git_clones_commits_and_pushes(account: Account, tmp_path: Path) -> None:
    script = (
        f"cd '{tmp_path}' && git clone -q https://github.com/team/project.git work && cd work && "
        "git config user.email robot@example.com && git config user.name robot && "
        "git checkout -q -b main && echo hello > file && git add file && git commit -q -m first && "
        "git push -q origin main && cd .. && "
        "git clone -q -b main https://github.com/team/project.git again && cat again/file"
    )
    arguments = ("--gateway", "GITHUB=local-git:GIT_LOGIN", "--sdk", "git", "--same-user")
    done = account.run(tmp_path, *arguments, "--", "sh", "-c", script)
    assert done.stdout == b"hello\n", done.stderr.decode()
    found = subprocess.run(["grep", "-r", GIT_CANARY, str(tmp_path)], check=False)
    assert found.returncode == 1


def test_npm_asks_its_registry_with_the_credential(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    upstream.answer = npm_registry()
    options = ("--gateway", "NPM=recorded:API_KEY", "--sdk", "npm", "--same-user")
    done = account.run(
        tmp_path,
        *options,
        "--",
        require("npm"),
        "view",
        "--no-update-notifier",
        "parcel",
        "version",
    )
    assert done.stdout.strip() == b"1.2.3", done.stderr.decode()
    assert {each.target for each in upstream.requests} == {"/parcel"}
    assert {*upstream.requests[0].all("Authorization")} == {f"Bearer {CANARY}"}


def test_pip_downloads_from_its_index_with_the_credential(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    upstream.answer = python_index()
    options = ("--gateway", "PYPI=recorded:API_KEY", "--sdk", "pip", "--same-user")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "download",
        "--no-deps",
        "parcel",
    )
    done = account.run(tmp_path, *options, "--", *pip, "-d", str(tmp_path))
    assert (tmp_path / "parcel-1.2.3-py3-none-any.whl").is_file(), done.stderr.decode()
    targets = ["/simple/parcel/", "/files/parcel-1.2.3-py3-none-any.whl"]
    assert [each.target for each in upstream.requests] == targets
    assert [each.all("Authorization") for each in upstream.requests] == [[f"Bearer {CANARY}"]] * 2


def test_a_command_that_could_read_the_servers_home_is_not_started(
    account: Account, upstream: Recorder, tmp_path: Path
) -> None:
    options = ("--gateway", "API=recorded:API_KEY")
    home = {"STRONGROOM_HOME": str(account.server.home)}
    done = account.run(tmp_path, *options, "--", "echo", "started", **home)
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"--same-user" in done.stderr
    permitted = account.run(tmp_path, *options, "--same-user", "--", "echo", "started", **home)
    assert permitted.stdout == b"started\n"
    assert b"the command can read every value" in permitted.stderr
