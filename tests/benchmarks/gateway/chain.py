"""The gateway with the API that admits, both as shipped, and an upstream with TLS."""

import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.domain.gateways.tokens import MAX_IN_FLIGHT, TokenLimits
from app.domain.secrets import SecretValue
from tests.benchmarks.servers import MeasuredServer, strongroom
from tests.support.certificates import Certificate
from tests.support.deployment import Tenant
from tests.support.gateway.stored import store_config, store_token
from tests.support.ports import free_port
from tests.support.waiting import wait_until

CREDENTIAL = "sk-benchmark-0123456789-abcdefghijklmnop"
SECRET = "A_SECRET"

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Chain:
    """An API, and a gateway that asks it.

    Attributes:
        api: The server; its account has the secret.
        url: Of the config, as an agent has it.
        tokens: Of the gateway.
        master: The process id of the gateway's master.
    """

    api: MeasuredServer
    url: str
    tokens: tuple[str, ...]
    master: int

    def workers(self) -> list[int]:
        """The process ids of the gateway's workers."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        return [*map(int, children.read_text().split())]


@contextmanager
def chain(
    directory: Path, upstream_port: int, certificate: Certificate, tokens: int = 1
) -> Iterator[Chain]:
    """Start both on a new database on the disk.

    Args:
        directory: For the API's home.
        upstream_port: Of the upstream on loopback, which speaks TLS.
        certificate: Of the upstream.
        tokens: The number of tokens to mint.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="strongroom-") as sockets:
        shared = {
            "STRONGROOM_GATEWAY_URL": url,
            "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
            "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        }
        with strongroom(directory / "home", **shared) as api:
            key = api.services.gateway_keys.new("benchmark")
            api.services.gateway_keys.add("benchmark", key.token)
            key_file = directory / "gateway.key"
            key_file.touch(mode=0o600)
            key_file.write_text(key.token.reveal())
            own = {
                "STRONGROOM_HOME": str(directory),
                "STRONGROOM_GATEWAY_PORT": str(port),
                "STRONGROOM_GATEWAY_KEY_FILE": str(key_file),
                "STRONGROOM_GATEWAY_CA_FILE": str(certificate.ca_file),
            }
            command = [sys.executable, "-m", "app.cli.main", "gateway"]
            with program(command, shared | own, directory / "gateway.log") as process:
                wait_until(lambda: answers(url))
                config_id, minted = _minted(api, upstream_port, tokens)
                yield Chain(api, f"{url}/{config_id}", minted, process.pid)


def _minted(api: MeasuredServer, upstream_port: int, count: int) -> tuple[str, tuple[str, ...]]:
    api.services.secrets.create(api.caller, SECRET, SecretValue(CREDENTIAL), None)
    tenant = Tenant(api.services, None, api.caller)  # type: ignore[arg-type] # it asks nothing
    config = store_config(tenant, f"https://localhost:{upstream_port}")
    limits = TokenLimits(in_flight=MAX_IN_FLIGHT)
    minted = (store_token(tenant, config, SECRET, limits=limits) for _ in range(count))
    return config.id, tuple(each.token.reveal() for each in minted)


@contextmanager
def program(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the block ends."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command],
            cwd=_ROOT,
            env={"PATH": os.defpath, **environment},
            stdout=stream,
            stderr=stream,
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait(20)


def answers(url: str) -> bool:
    """Return True if a server gives any answer there."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own server
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def used(processes: Iterable[int]) -> float:
    """Return the seconds of processor time that processes have taken."""
    fields = (
        Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in processes
    )
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")
