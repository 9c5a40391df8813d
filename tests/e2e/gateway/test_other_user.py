"""API and gateway as two users, as their units start them: the gateway reads nothing of the API."""

import os
import pwd
import shutil
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.gateway.conftest import CANARY, SECRET, is_answering
from tests.support.box import Box, another_users_box
from tests.support.certificates import Certificate
from tests.support.gateway.recorder import Recorder
from tests.support.ports import free_port
from tests.support.users import NOBODY
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_API_USER = 1  # which every machine has, as it has nobody
_START_SECONDS = 120.0
_ATTEMPT = """
import os, sys
seen = set()
for each in sys.argv[1:]:
    try:
        if os.path.isdir(each):
            os.listdir(each)
        else:
            os.read(os.open(each, os.O_RDONLY), 1)
        seen.add(f"read {each}")
    except OSError as error:
        seen.add(type(error).__name__)
print(*sorted(seen), end="")
"""


@contextmanager
def _started(
    box: Box, command: list[str], environment: Mapping[str, str], url: str
) -> Iterator[None]:
    """Run a server of the box that writes to a log there, until the block ends."""
    line = ["sh", "-c", 'exec "$@" >>log 2>&1', "sh", *command]
    process = box.start(line, {**box.environment, **environment})
    try:
        wait_until(lambda: process.poll() is not None or is_answering(url), _START_SECONDS)
        assert process.poll() is None, (box.directory / "log").read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _ran(box: Box, command: list[str], environment: Mapping[str, str]) -> str:
    process = box.start(command, {**box.environment, **environment})
    printed, _ = process.communicate(timeout=_START_SECONDS)
    assert process.returncode == 0, printed
    return printed


@dataclass(frozen=True)
class Two:
    """Both, each as its user.

    Attributes:
        home: The API's.
        minted: The answer to the creation of a gateway token.
    """

    api: Box
    gateway: Box
    home: Path
    socket: Path
    minted: dict[str, Any]


@pytest.fixture(scope="module")
def two(recording: Recorder, certificate: Certificate) -> Iterator[Two]:
    with another_users_box(_API_USER, NOBODY) as api, another_users_box(NOBODY) as gateway:
        home, port, url = api.directory / "var", free_port(), f"http://127.0.0.1:{free_port()}"
        place = api.directory / "run"
        place.mkdir(mode=0o711)
        os.chown(place, _API_USER, _API_USER)
        shared = {
            "STRONGROOM_GATEWAY_URL": url,
            "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
            "STRONGROOM_GATEWAY_SOCKET": str(place / "admission.sock"),
        }
        serving = {
            **shared,
            "STRONGROOM_HOME": str(home),
            "PORT": str(port),
            "STRONGROOM_GATEWAY_USER": pwd.getpwuid(NOBODY).pw_name,
            "STRONGROOM_WORKERS": "1",
        }
        strongroom = [sys.executable, "-m", "app.cli.main"]
        gunicorn = [sys.executable, "-m", "gunicorn", "--chdir", str(_ROOT)]
        _ran(api, [*strongroom, "init"], serving)
        _hand_over(gateway, home / "gateway.key", 0o600)
        _hand_over(gateway, certificate.ca_file, 0o644)
        carrying = {
            **shared,
            "STRONGROOM_HOME": str(gateway.directory),
            "STRONGROOM_GATEWAY_BIND": url.removeprefix("http://"),
            "STRONGROOM_GATEWAY_CA_FILE": str(gateway.directory / certificate.ca_file.name),
            "STRONGROOM_GATEWAY_WORKERS": "1",
        }
        served = [*gunicorn, "-c", str(_ROOT / "config" / "gunicorn.py"), "wsgi:app"]
        with (
            _started(api, served, serving, f"http://127.0.0.1:{port}/readyz"),
            _started(gateway, [*strongroom, "gateway"], carrying, url),
        ):
            minted = _minted(home, f"http://127.0.0.1:{port}", recording.port)
            yield Two(api, gateway, home, place / "admission.sock", minted)


def _hand_over(box: Box, file: Path, mode: int) -> None:
    """Give a copy to the user of the box, as systemd gives a credential to a unit."""
    copied = box.directory / file.name
    shutil.copyfile(file, copied)
    os.chown(copied, box.user, box.user)
    copied.chmod(mode)


def _minted(home: Path, url: str, upstream_port: int) -> dict[str, Any]:
    lines = (home / "client.env").read_text().splitlines()
    key = next(line.partition("=")[2] for line in lines if line.startswith("RUNLOOP_API_KEY="))

    def post(path: str, body: Mapping[str, object]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = requests.post(f"{url}/v1/{path}", json=body, headers=headers, timeout=60)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    post("secrets", {"name": SECRET, "value": CANARY})
    endpoint = f"https://localhost:{upstream_port}"
    config = {"name": "upstream", "endpoint": endpoint, "auth_mechanism": {"type": "bearer"}}
    post("gateway-configs", config)
    body = {"gateway": "upstream", "secret": SECRET}
    return post("devboxes/box/create_gateway_token", body)


def test_a_request_is_admitted_across_users(two: Two, upstream: Recorder) -> None:
    headers = {"Authorization": f"Bearer {two.minted['token']}"}
    answer = requests.get(f"{two.minted['url']}/v1/models", headers=headers, timeout=60)
    assert (answer.status_code, answer.text) == (200, "hello")
    (received,) = upstream.requests
    assert received.all("Authorization") == [f"Bearer {CANARY}"]


def test_each_process_has_its_user_and_no_capability(two: Two) -> None:
    for box in (two.api, two.gateway):
        processes = box.processes()
        assert len(processes) >= 2
        for each in processes:
            status = dict(
                line.split(":\t", 1) for line in (each / "status").read_text().splitlines()
            )
            assert set(status["Uid"].split()) == {str(box.user)}
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_the_admission_socket_is_for_the_api_and_the_gateways_group(two: Two) -> None:
    found = two.socket.stat()
    assert (found.st_uid, found.st_gid) == (_API_USER, pwd.getpwuid(NOBODY).pw_gid)
    assert stat.S_IMODE(found.st_mode) == 0o660


def test_the_gateways_user_reads_no_file_and_no_memory_of_the_api(two: Two) -> None:
    names = sorted(each.name for each in two.home.iterdir())
    assert {"keys", "strongroom.db", "gateway.key", "client.env"} <= set(names)
    processes = [each / name for each in two.api.processes() for name in ("environ", "mem")]
    files = [two.home, *(two.home / each for each in names), *processes]
    attempt = [sys.executable, "-c", _ATTEMPT, *map(str, files)]
    assert _ran(two.gateway, attempt, {}) == "PermissionError"
