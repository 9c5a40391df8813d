"""Counts the files of ours that an operation enters, and its changes from file to file.

Counted are the frames of our own functions, in every thread that the operation starts, by
``sys.setprofile``: the files that are entered, and the calls that enter another file than the call
before. A newcomer who follows the operation in an editor opens and changes files that often.

    python -m tests.benchmarks.hops
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import CodeType, FrameType

import click
from cryptography.fernet import Fernet

from app import bootstrap
from app.server.application import Application
from app.services.container import Services
from config import load

_ROOT = Path(__file__).parents[2]
_OURS = tuple(str(_ROOT / name) for name in ("app/", "backends/", "config/"))
_TRIES = 3


@dataclass
class Hops:
    """The path of one operation.

    Attributes:
        files: Those that were entered, relative to the repository.
        changes: Calls into another file than the call before.
        calls: Calls of functions of ours, generators' resumptions among them.
    """

    files: set[str] = field(default_factory=set)
    changes: int = 0
    calls: int = 0
    _last: str = ""

    def enter(self, code: CodeType) -> None:
        """Count a call."""
        name = Path(code.co_filename).relative_to(_ROOT).as_posix()
        self.files.add(name)
        self.calls += 1
        self.changes += name != self._last
        self._last = name


def count(operation: Callable[[], object]) -> Hops:
    """Run an operation and count."""
    hops = Hops()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_OURS):
            hops.enter(frame.f_code)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        operation()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return hops


class _Client:
    """Calls the API of an account in this process."""

    def __init__(self, services: Services) -> None:
        account = services.accounts.create("hops")
        key = services.api_keys.issue(account.id, name="hops")
        self._key = key.token.reveal()
        self._http = Application(lambda: services).test_client()
        self._number = 0

    def create(self) -> str:
        """Create a secret, with a request id. Returns its name."""
        name = f"SECRET_{self._number}"
        self._post("/v1/secrets", {"name": name, "value": "a value"}, self._key)
        return name

    def inject(self, name: str) -> str:
        """Create an injection of one secret. Returns its token."""
        return str(self._post("/v1/injections", {"secrets": {name: name}}, self._key)["token"])

    def redeem(self, token: str) -> None:
        """Redeem an injection, with a nonce."""
        self._post("/v1/injections/redeem", {"redeem_nonce": "n" * 22}, token)

    def _post(self, path: str, body: object, token: str) -> dict[str, object]:
        self._number += 1
        headers = {"Authorization": f"Bearer {token}", "x-request-id": f"request-{self._number}"}
        response = self._http.post(path, json=body, headers=headers)
        if response.status_code != HTTPStatus.OK:
            raise click.ClickException(f"{path} answered {response.status_code}")
        found: dict[str, object] = json.loads(response.data)
        return found


def measure() -> dict[str, Hops]:
    """Run each operation. Returns its path by its name in ``docs/architecture.md``."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        first, second = Fernet.generate_key(), Fernet.generate_key()
        _write_keys(home, first)
        with _services(home) as services:
            services.setup.initialise()
            create, redemption = _requests(_Client(services))
        _write_keys(home, second, first)
        with _services(home) as services:
            cold = count(lambda: services.rewrap.run(lambda _: None))
        _write_keys(home, Fernet.generate_key(), second)
        with _services(home) as services:
            services.accounts.create("opens the database and the system key")
            warm = count(lambda: services.rewrap.run(lambda _: None))
    return {
        "create": create,
        "redemption": redemption,
        "rewrap of two keys, warm": warm,
        "rewrap of two keys, cold": cold,
    }


def main() -> None:
    """Print the table."""
    for name, hops in measure().items():
        click.echo(
            f"{name:25} {len(hops.files):3} files {hops.changes:4} changes {hops.calls:5} calls"
        )


def _requests(client: _Client) -> tuple[Hops, Hops]:
    """Create and redeem, the shortest of three: a count of seconds may end during one."""
    client.create()
    secret = client.create()
    client.redeem(client.inject(secret))
    tokens = [client.inject(secret) for _ in range(_TRIES)]
    creates = [count(client.create) for _ in tokens]
    redemptions = [count(partial(client.redeem, token)) for token in tokens]
    return min(creates, key=_length), min(redemptions, key=_length)


def _length(hops: Hops) -> tuple[int, int]:
    return len(hops.files), hops.calls


@contextmanager
def _services(home: Path) -> Iterator[Services]:
    services = bootstrap.build(load({"STRONGROOM_HOME": str(home)}))
    try:
        yield services
    finally:
        services.close()


def _write_keys(home: Path, *keys: bytes) -> None:
    path = home / "keys"
    path.touch(mode=0o600)
    path.write_bytes(b"\n".join(keys) + b"\n")


if __name__ == "__main__":
    main()
