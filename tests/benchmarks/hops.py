"""How many files of ours an operation goes through, and how often it goes from one to another.

Counted are the frames of our own functions, in every thread that the operation starts, by
``sys.setprofile``: the files that are entered, and the calls that enter another file than the call
before. A newcomer who follows the operation in an editor opens and changes files that often.

    python -m tests.benchmarks.hops
"""

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import click
from cryptography.fernet import Fernet

from app import bootstrap, factory
from app.services.container import Services
from config import load

_ROOT = Path(__file__).parents[2]
_OURS = tuple(str(_ROOT / name) for name in ("app/", "backends/", "config/"))


@dataclass
class Hops:
    """What one operation went through.

    Attributes:
        files: Those that were entered.
        changes: Calls into another file than the call before.
        calls: Calls of functions of ours, generators' resumptions among them.
    """

    files: set[str] = field(default_factory=set)
    changes: int = 0
    calls: int = 0
    _last: str = ""

    def enter(self, code: CodeType) -> None:
        """Count a call."""
        name = code.co_filename
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
        threading.setprofile(None)  # type: ignore[arg-type]  # None ends it
    return hops


@contextmanager
def _services(home: Path) -> Iterator[Services]:
    settings = load({"STRONGROOM_HOME": str(home)})
    services = bootstrap.build(settings)
    with closing(services):
        yield services


def _write_keys(home: Path, *keys: bytes) -> None:
    path = home / "keys"
    path.touch(mode=0o600)
    path.write_bytes(b"\n".join(keys) + b"\n")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        first, second = Fernet.generate_key(), Fernet.generate_key()
        _write_keys(home, first)
        with _services(home) as services:
            services.setup.initialise()
            account = services.accounts.create("hops")
            key = services.api_keys.issue(account.id, name="hops")
            client = factory.serve(lambda: services).test_client()
            headers = {"Authorization": f"Bearer {key.token.reveal()}"}

            def create(number: int) -> str:
                answer = client.post(
                    "/v1/secrets",
                    json={"name": f"SECRET_{number}", "value": "a value"},
                    headers={**headers, "x-request-id": f"request-{number}"},
                )
                assert answer.status_code == 200, answer.status_code
                return str(answer.json["id"])

            def issue() -> str:
                wanted = {"SECRET_1": "SECRET_1"}
                answer = client.post(
                    "/v1/injections",
                    json={"secrets": wanted},
                    headers={**headers, "x-request-id": f"injection-{next(numbers)}"},
                )
                assert answer.status_code == 200, answer.status_code
                return str(answer.json["token"])

            def redeem(token: str) -> None:
                answer = client.post(
                    "/v1/injections/redeem",
                    json={"redeem_nonce": "0123456789abcdefghijklmnop"},
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert answer.status_code == 200, answer.status_code

            numbers = iter(range(1000))
            create(1)
            create(2)
            _print("create", count(lambda: create(3)))
            redeem(issue())
            token = issue()
            _print("redemption", count(lambda: redeem(token)))
        _write_keys(home, second, first)
        with _services(home) as services:
            _print("rewrap of two keys", count(lambda: services.rewrap.run(lambda _: None)))


def _print(name: str, hops: Hops) -> None:
    click.echo(f"{name:20} {len(hops.files):3} files {hops.changes:4} changes {hops.calls:5} calls")


if __name__ == "__main__":
    main()
