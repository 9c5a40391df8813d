"""The measured servers, as processes on loopback: bare Flask, Strongroom as shipped, OpenBao."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from app import bootstrap
from app.domain.access.api_keys import Caller
from app.domain.access.scopes import ALL_SCOPES
from app.services.container import Services
from config import load
from tests.support.ports import free_port

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """A server with one account, and its services for preparing what is measured.

    Attributes:
        url: Without a path.
        token: An API key of the account.
    """

    url: str
    token: str
    caller: Caller
    services: Services


@contextmanager
def bare_flask(
    *, worker: Sequence[str], module: str = "bare_flask", **environment: str
) -> Iterator[str]:
    """A Flask application of this folder under two workers of the kind that ``worker`` says.

    Yields its URL.
    """
    port = free_port()
    arguments = [f"--bind=127.0.0.1:{port}", "--workers=2", *worker]
    with _gunicorn([*arguments, f"tests.benchmarks.{module}:app"], environment):
        url = f"http://127.0.0.1:{port}/"
        _wait_for(url)
        yield url


@contextmanager
def strongroom(
    home: Path, *, worker: Sequence[str] = (), **chosen: str
) -> Iterator[MeasuredServer]:
    """Strongroom on SQLite and a key file, as shipped unless told otherwise.

    Args:
        home: Its directory, which does not exist yet.
        worker: Arguments of gunicorn.
        chosen: Further settings.
    """
    home.mkdir(mode=0o700)
    _write_key(home / "keys")
    environment = {"STRONGROOM_HOME": str(home), "PORT": str(free_port()), **chosen}
    settings = load(environment)
    with closing(_Closing(bootstrap.build(settings))) as opened:
        services = opened.services
        services.setup.initialise()
        account = services.accounts.create("benchmark")
        issued = services.api_keys.issue(account.id, name="benchmark")
        arguments = ["-c", str(_ROOT / "config" / "gunicorn.py"), *worker]
        with _gunicorn([*arguments, "wsgi:app"], environment):
            url = f"http://127.0.0.1:{settings.port}"
            _wait_for(f"{url}/readyz")
            caller = Caller(account.id, issued.id, ALL_SCOPES, None)
            yield MeasuredServer(url, issued.token.reveal(), caller, services)


@dataclass(frozen=True, slots=True)
class _Closing:
    services: Services

    def close(self) -> None:
        self.services.close()


@contextmanager
def _gunicorn(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--no-control-socket", "--log-level=error", *arguments],
        cwd=_ROOT,
        env={"PATH": os.defpath, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TimeoutError("the server did not start in time")


def _write_key(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
