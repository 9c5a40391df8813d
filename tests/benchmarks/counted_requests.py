"""Serves requests in one process, to be counted by ``tests.benchmarks.instructions``.

It uses only names that older versions have too, and runs in the directory of the version:

    STRONGROOM_HOME=HOME python counted_requests.py HOME

The process starts once, and forks a child for each count. A line names an operation, the number of
times that the child did it, and the child.
"""

import gc
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

sys.path.insert(0, str(Path.cwd()))

from app import bootstrap
from app.observability import logs
from app.services.container import Services
from config import load

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_TIMES = 100
_WARM = 5
_ACCOUNTS = 20
_ACCESS = "access.json"


def main() -> None:
    """Count each operation, and nothing but what comes before it."""
    home = Path(sys.argv[1])
    _prepare(home)
    rewrapped = home.with_name("rewrapped")
    shutil.copytree(home, rewrapped)
    client = _Client(home)
    operations = client.operations()
    for operation in operations.values():
        _repeat(operation, _WARM)
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # as in config/gunicorn.py
    for name, operation in operations.items():
        for times in (0, _TIMES):
            _in_child(name, times, lambda: _repeat(operation, _WARM + times))  # noqa: B023
    for times in (0, 1):
        _in_child("rewrap", times, lambda: _rewrap(rewrapped, times))  # noqa: B023


def _in_child(name: str, times: int, run: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        run()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{name} failed")
    print(name, times, child, flush=True)  # noqa: T201 - read by the benchmark


def _repeat(operation: Callable[[], object], times: int) -> None:
    for _ in range(times):
        operation()


def _prepare(home: Path) -> None:
    _write_keys(home, [Fernet.generate_key()])
    with _services(home) as services:
        services.setup.initialise()
        tokens = []
        for number in range(_ACCOUNTS):
            account = services.accounts.create(f"account-{number}")
            tokens.append(services.api_keys.issue(account.id, name="counted").token.reveal())
    (home / _ACCESS).write_text(json.dumps(tokens))
    client = _Client(home)
    for client.token in tokens:
        client.post("/v1/secrets", {"name": "FIRST", "value": "a value"})


def _rewrap(home: Path, times: int) -> None:
    """Rewrap the data keys of all accounts, or only open what that needs."""
    _write_keys(home, [Fernet.generate_key(), *(home / "keys").read_bytes().split()])
    with _services(home) as services:
        services.accounts.create(f"opens the database and the system key {times}")
        for _ in range(times):
            services.rewrap.run(lambda _: None)


class _Client:
    """Calls the application as gunicorn does, without a server."""

    def __init__(self, home: Path) -> None:
        import wsgi  # noqa: PLC0415 - it connects to the home that the environment names

        logs.configure("INFO")
        wsgi.app.extensions["strongroom"]().tasks.stop(60)  # they depend on the time that passes
        self._application: WSGIApplication = wsgi.app
        self.token: str = json.loads((home / _ACCESS).read_text())[0]
        self._sent = 0

    def operations(self) -> dict[str, Callable[[], object]]:
        """Return the operations that are counted, by name."""
        return {
            "get": lambda: self.get("/v1/secrets/FIRST"),
            "list": lambda: self.get("/v1/secrets"),
            "create": self.create,
            "redeem": lambda: self.redeem(self.inject()),
        }

    def create(self) -> None:
        """Create a secret."""
        self.post("/v1/secrets", {"name": f"SECRET_{os.getpid()}_{self._sent}", "value": "a value"})

    def get(self, path: str) -> Any:
        """Get a path. Returns the JSON."""
        return self._call("GET", path, b"", self.token)

    def post(self, path: str, body: object, token: str | None = None) -> Any:
        """Post JSON with a request id. Returns the JSON."""
        return self._call("POST", path, json.dumps(body).encode(), token or self.token)

    def inject(self) -> str:
        """Make an injection of one secret. Returns its token."""
        return str(self.post("/v1/injections", {"secrets": {"FIRST": "FIRST"}})["token"])

    def redeem(self, token: str) -> None:
        """Redeem an injection."""
        self.post("/v1/injections/redeem", {"redeem_nonce": "n" * 22}, token)

    def _call(self, method: str, path: str, body: bytes, token: str) -> Any:
        self._sent += 1
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "RAW_URI": path,
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
        }
        if body:
            environ["CONTENT_TYPE"] = "application/json"
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["HTTP_X_REQUEST_ID"] = f"{os.getpid()}-{self._sent}"
        statuses: list[str] = []
        response = self._application(environ, lambda status, *_: statuses.append(status))  # type: ignore[arg-type]
        sent = b"".join(response)
        response.close()  # type: ignore[attr-defined]
        if not statuses[0].startswith(str(HTTPStatus.OK.value)):
            raise SystemExit(f"{method} {path}: {statuses[0]}")
        return json.loads(sent)


@contextmanager
def _services(home: Path) -> Iterator[Services]:
    services = bootstrap.build(load({"STRONGROOM_HOME": str(home)}))
    try:
        yield services
    finally:
        services.close()


def _write_keys(home: Path, keys: list[bytes]) -> None:
    path = home / "keys"
    path.touch(mode=0o600)
    path.write_bytes(b"\n".join(keys) + b"\n")


if __name__ == "__main__":
    main()
