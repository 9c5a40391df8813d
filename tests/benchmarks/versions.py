"""Two checkouts side by side in one run: is this version slower than another one?

Both run as shipped, each from its own checkout and virtual environment, and are reached over HTTP
only, so any two versions can be compared. Each round of this version lies between two of the other.

A rewrap has no HTTP; it is timed inside a process of each version, without its start.

    python -m tests.benchmarks.versions OTHER_CHECKOUT [GET] [CREATE] [UPDATE] [REDEEM] [REWRAP]
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from tests.benchmarks import wrk
from tests.benchmarks.api import CREATE
from tests.benchmarks.redemption import REDEEM
from tests.benchmarks.wrk import Load
from tests.support.ports import free_port

_HERE = Path(__file__).parents[2]
_ROUNDS = 9
_SECONDS = 2
_START_SECONDS = 60.0
_NAMES = [f"SECRET_{number:02}" for number in range(50)]
_TOKENS = 1500 * _SECONDS  # more than can be used in that time
_DATA_KEYS = 400  # one for each account
_UPDATE = """
local run, number = os.time() .. "_" .. math.random(1e9), 0
request = function()
    number = number + 1
    local path = string.format("/v1/secrets/SECRET_%02d", number % 50)
    return wrk.format("POST", path, {
        ["Authorization"] = wrk.headers["Authorization"],
        ["Content-Type"] = "application/json",
        ["x-request-id"] = run .. "-" .. number,
    }, '{"value":"a value of 40 bytes a value of 40 bytes "}')
end
init = function() math.randomseed(os.time() + tonumber(tostring({}):sub(8))) end
"""
_ISSUE_KEYS = """
import sys
from app import bootstrap
from config import load
services = bootstrap.build(load({"STRONGROOM_HOME": sys.argv[1]}))
for number in range(int(sys.argv[2])):
    account = services.accounts.create(f"account-{number}")
    print(services.api_keys.issue(account.id, name="key").token.reveal())
services.close()
"""
_REWRAP = """
import sys, time
from pathlib import Path
from cryptography.fernet import Fernet
from app import bootstrap
from config import load
keys = Path(sys.argv[1], "keys")
keys.write_bytes(Fernet.generate_key() + b"\\n" + keys.read_bytes())
services = bootstrap.build(load({"STRONGROOM_HOME": sys.argv[1]}))
start = time.perf_counter()
services.rewrap.run(lambda _: None)
print(time.perf_counter() - start)
services.close()
"""

Measure = Callable[[], Load]


@dataclass(frozen=True, slots=True)
class _Server:
    """A server with an account of 50 secrets."""

    url: str
    token: str
    directory: Path
    checkout: Path

    def post(self, path: str, body: object, token: str | None = None) -> dict[str, str]:
        """Return the response to a request that must succeed."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer: dict[str, str] = json.load(response)
            return answer

    def get_secret(self) -> Load:
        """Read the metadata of one secret."""
        return self._run(path="/v1/secrets/SECRET_07")

    def create(self) -> Load:
        """Create secrets, with request ids."""
        return self._run(script=CREATE)

    def update(self) -> Load:
        """Replace the values of the 50 secrets, one after the other, with request ids."""
        return self._run(script=_UPDATE)

    def redeem(self) -> Load:
        """Redeem injections of the 50 secrets, which are made before the measurement."""
        wanted = {"secrets": {name: name for name in _NAMES}, "ttl_seconds": 3600}
        tokens = self.directory / "tokens"
        issued = (self.post("/v1/injections", wanted)["token"] for _ in range(_TOKENS))
        tokens.write_text("\n".join(issued) + "\n")
        return self._run(script=REDEEM, arguments=[str(tokens)])

    def make_data_keys(self) -> None:
        """Give many accounts a data key, by one secret each."""
        for token in self._python(_ISSUE_KEYS, str(_DATA_KEYS)).split():
            self.post("/v1/secrets", {"name": "SECRET", "value": "a value"}, token)

    def rewrap(self) -> Load:
        """Rewrap every data key with a root key that is new each time."""
        seconds = float(self._python(_REWRAP))
        return Load(_DATA_KEYS / seconds, seconds, seconds)

    def _python(self, script: str, *arguments: str) -> str:
        return subprocess.run(
            [self.checkout / ".venv" / "bin" / "python", "-c", script, self._home, *arguments],
            cwd=self.checkout,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    @property
    def _home(self) -> str:
        return str(self.directory / "home")

    def _run(
        self, path: str = "", script: str = "", arguments: tuple[str, ...] | list[str] = ()
    ) -> Load:
        return wrk.run(
            f"{self.url}{path}",
            self.directory,
            seconds=_SECONDS,
            headers=[f"Authorization: Bearer {self.token}"] if script != REDEEM else [],
            script=script,
            arguments=arguments,
        )


@click.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("operations", nargs=-1)
def main(other: Path, operations: tuple[str, ...]) -> None:
    """Print the rate of each operation as a multiple of that of the checkout OTHER."""
    with ExitStack() as stack:
        theirs = stack.enter_context(_serving(other.resolve()))
        ours = stack.enter_context(_serving(_HERE))
        for name, measure in (
            ("GET", _Server.get_secret),
            ("CREATE", _Server.create),
            ("UPDATE", _Server.update),
            ("REDEEM", _Server.redeem),
            ("REWRAP", _Server.rewrap),
        ):
            if not operations or name in operations:
                if name == "REWRAP":
                    theirs.make_data_keys()
                    ours.make_data_keys()
                _compare(name, partial(measure, theirs), partial(measure, ours))


def _compare(name: str, base: Measure, measured: Measure) -> None:
    bases, ratios, within = [base().rate], [], []
    for _ in range(_ROUNDS):
        rate = measured().rate
        bases.append(base().rate)
        ratios.append(2 * rate / (bases[-1] + bases[-2]))
        within.append(rate)
    low, _, high = statistics.quantiles(bases, n=4)
    click.echo(
        f"{name:7} {statistics.median(ratios):.3f} of the other (rounds {min(ratios):.2f} to"
        f" {max(ratios):.2f}); {statistics.median(within):.0f}/s beside"
        f" {statistics.median(bases):.0f}/s, whose quartiles are {low:.0f} to {high:.0f}"
    )


@contextmanager
def _serving(checkout: Path) -> Iterator[_Server]:
    binaries = checkout / ".venv" / "bin"
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        port = free_port()
        environment = {"PATH": os.defpath, "STRONGROOM_HOME": str(home), "PORT": str(port)}
        environment["STRONGROOM_LOG_LEVEL"] = "ERROR"
        subprocess.run(
            [binaries / "strongroom", "init"],
            cwd=checkout,
            env=environment,
            check=True,
            capture_output=True,
        )
        given = dict(
            line.split("=", 1) for line in (home / "client.env").read_text().splitlines() if line
        )
        process = subprocess.Popen(
            [binaries / "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"],
            cwd=checkout,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            server = _Server(
                f"http://127.0.0.1:{port}", given["RUNLOOP_API_KEY"], Path(name), checkout
            )
            _wait_for(server)
            for secret in _NAMES:
                server.post("/v1/secrets", {"name": secret, "value": "a value of 40 bytes " * 2})
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(server: _Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TimeoutError("the server did not start in time")


if __name__ == "__main__":
    main()
