"""nginx in the configuration that ships, but for addresses and paths."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Certificate
from tests.support.ports import free_port
from tests.support.programs import require

_ROOT = Path(__file__).parents[2]
_SHIPPED = _ROOT / "config" / "nginx.conf"
_TWO_NODES = _ROOT / "config" / "nginx-two-nodes.conf"
_GATEWAY = _ROOT / "config" / "nginx-gateway.conf"
_SOCKET = "unix:/run/strongroom/server.sock;"
_WITH_BODIES = "client_max_body_size 1m; client_body_temp_path {};"
_SECONDS = 10.0

GATEWAY_NAME = "gw.example.com"
"""The gateway's name in the shipped file."""

_GATEWAY_NAMES = f"{GATEWAY_NAME} *.{GATEWAY_NAME}"


@dataclass(frozen=True)
class Nginx:
    """One nginx in front of a server.

    Attributes:
        port: Of loopback, where it speaks TLS.
        bodies: The directory for bodies that it does not keep in memory.
        documentation: The directory for the files of ``/docs``.
    """

    port: int
    bodies: Path
    documentation: Path

    @property
    def url(self) -> str:
        """Its base URL, without a path."""
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def nginx(
    directory: Path,
    backend: Path | tuple[Path, Path],
    certificate: Certificate,
    changes: Mapping[str, str] | None = None,
    gateway: Path | None = None,
    gateway_names: str = _GATEWAY_NAMES,
    port: int | None = None,
) -> Iterator[Nginx]:
    """Run nginx in front of a server's socket, or of two, until the block ends.

    Args:
        directory: For what it writes; its worker processes must reach it.
        backend: The sockets of two nodes, or the one of a single node.
        changes: Replaces what stands in the shipped file, each once.
        gateway: The socket of an agent gateway, if there is one.
        gateway_names: Replaces the names of the shipped file.
        port: Where it listens; a free one by default.
    """
    front = Nginx(port or free_port(), directory / "bodies", directory / "documentation")
    front.documentation.mkdir()
    configuration = directory / "nginx.conf"
    text = _adapted(directory, front, certificate, changes or {})
    if isinstance(backend, tuple):
        text = _with_two_nodes(text, directory / "nginx-two-nodes.conf", *backend)
    else:
        text = text.replace(_SOCKET, f"unix:{backend};")
    if gateway is not None:
        file = directory / "nginx-gateway.conf"
        text = _with_gateway(text, file, front, certificate, gateway)
        file.write_text(file.read_text().replace(_GATEWAY_NAMES, gateway_names))
    configuration.write_text(text)
    process = subprocess.Popen(
        [require("nginx"), "-c", str(configuration), "-e", "stderr", "-g", "daemon off;"]
    )
    try:
        _wait_for(front.port)
        yield front
    finally:
        process.terminate()
        process.wait(_SECONDS)


def install_documentation(front: Nginx) -> None:
    """Run the commands that the head of the shipped file gives for the files of ``/docs``."""
    comments = [line.removeprefix("#   ") for line in _SHIPPED.read_text().splitlines()]
    commands = [line for line in comments if line.startswith(("cd /opt", "install --mode"))]
    script = "\n".join(commands)
    for ours, theirs in {
        "/usr/share/strongroom/docs": str(front.documentation),
        "/opt/strongroom/.venv": sys.prefix,
        "/opt/strongroom": str(_ROOT),
    }.items():
        assert ours in script
        script = script.replace(ours, theirs)
    subprocess.run(["sh", "-e", "-c", script], check=True, timeout=60)


def _adapted(
    directory: Path,
    front: Nginx,
    certificate: Certificate,
    changes: Mapping[str, str],
) -> str:
    text = _SHIPPED.read_text()
    ipv6 = f"listen [::1]:{front.port} ssl http2;" if _has_ipv6() else ""
    for ours, theirs in {
        "pid /run/nginx.pid": f"pid {directory}/nginx.pid",
        "/var/log/strongroom/nginx.log": str(directory / "nginx.log"),
        "listen [::]:443 ssl http2;": ipv6,
        "listen 443": f"listen 127.0.0.1:{front.port}",
        "/etc/strongroom/tls.crt": str(certificate.file),
        "/etc/strongroom/tls.key": str(certificate.key_file),
        "root /usr/share/strongroom/docs": f"root {front.documentation}",
        "client_max_body_size 1m;": _WITH_BODIES.format(front.bodies),
        **changes,
    }.items():
        assert text.count(ours) == 1, ours
        text = text.replace(ours, theirs)
    assert text.count("user www-data;") == 1
    return text.replace("user www-data;", "user root;" if os.geteuid() == 0 else "")


def _with_two_nodes(text: str, nodes: Path, first: Path, second: Path) -> str:
    """Make the change that the shipped file describes, to include the file of two nodes."""
    shipped = _TWO_NODES.read_text()
    for ours, theirs in {"a": first, "b": second}.items():
        assert shipped.count(f"unix:/run/strongroom-{ours}/server.sock ") == 2
        shipped = shipped.replace(f"unix:/run/strongroom-{ours}/server.sock", f"unix:{theirs}")
    nodes.write_text(shipped)
    lines = [line for line in text.splitlines() if _SOCKET not in line]
    include = "#include /etc/strongroom/nginx-two-nodes.conf;"
    assert sum(include in line for line in lines) == 1
    return "\n".join(lines).replace(include, f"include {nodes};")


def _with_gateway(
    text: str, file: Path, front: Nginx, certificate: Certificate, gateway: Path
) -> str:
    """Make the change that the shipped file describes, to include the file of the gateway."""
    shipped = _GATEWAY.read_text()
    ipv6 = f"listen [::1]:{front.port} ssl http2;" if _has_ipv6() else ""
    for ours, theirs in {
        "listen [::]:443 ssl http2;": ipv6,
        "listen 443": f"listen 127.0.0.1:{front.port}",
        "ssl_certificate /etc/strongroom/gateway.crt": f"ssl_certificate {certificate.file}",
        "ssl_certificate_key /etc/strongroom/gateway.key": (
            f"ssl_certificate_key {certificate.key_file}"
        ),
        "unix:/run/strongroom-gateway/gateway.sock;": f"unix:{gateway};",
    }.items():
        assert shipped.count(ours) == 1, ours
        shipped = shipped.replace(ours, theirs)
    file.write_text(shipped)
    include = "#include /etc/strongroom/nginx-gateway.conf;"
    assert text.count(include) == 1
    return text.replace(include, f"include {file};")


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists() and "lo" in Path("/proc/net/if_inet6").read_text()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("nginx did not start in time")
