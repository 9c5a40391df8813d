"""``strongroom secret import`` against the real server: values, connections, a server that dies."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.faulty_proxy import FaultyProxy
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

Command = Callable[..., "subprocess.Popen[str]"]

_ENVIRON = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def command(server: Strongroom, tmp_path: Path) -> Command:
    """Start ``strongroom`` as a user of the first account does."""

    def start(*arguments: str, **more: str) -> "subprocess.Popen[str]":
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251
        return subprocess.Popen(
            ["strongroom", *arguments],
            env={"PATH": path, "HOME": str(tmp_path), **server.client_environment, **more},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def values_in(command: Command) -> dict[str, str]:
    """Every secret of the account, as ``strongroom run`` hands it over."""
    shown, _ = command("run", "--all", "--", sys.executable, "-c", _ENVIRON).communicate(timeout=60)
    environ: dict[str, str] = json.loads(shown)
    return {name: value for name, value in environ.items() if name.startswith("NAME_")}


def write_env_file(directory: Path, count: int) -> dict[str, str]:
    values = {f"NAME_{i}": f"a value\nof 'two' lines, \"{i}\" \\ $x é" for i in range(count)}
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()
    }
    (directory / ".env").write_text("".join(f'{k}="{v}"\n' for k, v in escaped.items()))
    return values


def test_thirty_names_take_at_most_four_connections(
    server: Strongroom, command: Command, tmp_path: Path
) -> None:
    values = write_env_file(tmp_path, 30)
    with closing(FaultyProxy(server.url.removeprefix("http://"))) as proxy:
        imported = command("secret", "import", ".env", RUNLOOP_BASE_URL=f"http://{proxy.host}")
        assert imported.communicate(timeout=60) == ("", "strongroom secret import: 30 created.\n")
        assert proxy.connections <= 4
    assert values_in(command) == values


def test_a_name_that_the_server_refuses_loses_no_other(command: Command, tmp_path: Path) -> None:
    (tmp_path / "some.json").write_text('{"NAME_A": "a", "NAME-B": "b", "NAME_C": 1.10}')
    with command("secret", "import", "some.json") as imported:
        _, reported = imported.communicate(timeout=60)
    assert imported.returncode == 6
    assert "NAME-B: the server responded with 400: The name is not valid" in reported
    assert values_in(command) == {"NAME_A": "a", "NAME_C": "1.10"}


def test_an_import_is_completed_after_the_server_was_killed(
    server: Strongroom, command: Command, tmp_path: Path
) -> None:
    values = write_env_file(tmp_path, 200)
    with server.rows() as rows:
        with command("secret", "import", ".env") as interrupted:
            wait_until(lambda: len(rows.all("secrets")) >= 20)
            server.kill()
            _, reported = interrupted.communicate(timeout=60)
        assert (interrupted.returncode, "run it again with --skip" in reported) == (6, True)
    server.start()
    with command("secret", "import", ".env", "--skip") as again:
        _, reported = again.communicate(timeout=60)
    assert (again.returncode, "skipped" in reported) == (0, True)
    assert values_in(command) == values
