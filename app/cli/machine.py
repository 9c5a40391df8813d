"""Looks at the machine as ``strongroom check`` does: what it lets the server have."""

import errno
import json
import os
import resource
import socket
import stat
import tempfile
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from app.crypto.envelope import open_envelope, seal
from app.domain.operations.findings import Findings
from backends.data_key import DataKey
from config import Examined, Settings, host
from config.listening import Endpoint, TcpAddress, UnixSocket

_MIB = 1 << 20
_SMALLEST_FILE_LIMIT = 1 << 30
_HEALTH_SECONDS = 2.0
_LARGEST_HEALTH = 4096

_BIND_FAULTS = {
    errno.EACCES: "this user may not use the port; take one from 1024 up",
    errno.EADDRNOTAVAIL: "this machine does not have the address",
    errno.EAFNOSUPPORT: "this machine does not have the kind of address",
}


def look_at_machine(examined: Examined) -> Findings:
    """Compare what the server takes with what this machine gives."""
    findings, settings = Findings(), examined.settings
    if not examined.wrong & {"PORT", "STRONGROOM_BIND"}:
        for endpoint in settings.bind:
            _look_at_address(endpoint, findings)
    if not examined.wrong & {"STRONGROOM_WORKERS", "STRONGROOM_THREADS"}:
        _look_at_files(settings, findings)
        _look_at_tasks(settings, findings)
        _look_at_memory(settings, findings)
        _look_at_addresses(settings, findings)
    _look_at_file_size(findings)
    if "STRONGROOM_HOME" not in examined.wrong:
        _look_at_directory_of_workers(settings, findings)
    return findings


def ciphers_fault() -> str | None:
    """What is wrong with the primitives, if anything: a FIPS build may refuse some."""
    key = DataKey.random()
    try:
        if bytes(open_envelope(key, seal(key, b"a value", b""), b"")) == b"a value":
            return None
    except Exception:  # noqa: BLE001 - whatever it is, nothing can be sealed here
        return "cryptography: this build of OpenSSL lacks AES-256-GCM, HKDF or SHA-512."
    return "cryptography: this build of OpenSSL does not open what it sealed."


def _look_at_address(endpoint: Endpoint, findings: Findings) -> None:
    fault = _tcp_fault(endpoint) if isinstance(endpoint, TcpAddress) else _path_fault(endpoint)
    if fault is None:
        findings.saw("listening", str(endpoint))
    else:
        findings.refuse(f"STRONGROOM_BIND: {endpoint}: {fault}.")


def _tcp_fault(address: TcpAddress) -> str | None:
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            listener.bind((address.host, address.port))
            listener.listen()
            if not _is_reachable(address):
                return "nothing reaches it; is the loopback interface up"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None if _is_ours(address) else "another program listens there"
        return _BIND_FAULTS.get(error.errno or 0, "nothing can listen there")
    return None


def _is_reachable(address: TcpAddress) -> bool:
    """Whether what listens there now can be connected to from this machine."""
    connection = HTTPConnection(urlsplit(address.url).netloc, timeout=_HEALTH_SECONDS)
    with closing(connection):
        try:
            connection.connect()
        except OSError:
            return False
    return True


def _is_ours(address: TcpAddress) -> bool:
    """Whether a server of this kind answers there, which may be the one that is looked at."""
    try:
        host_and_port = urlsplit(address.url).netloc
        with closing(HTTPConnection(host_and_port, timeout=_HEALTH_SECONDS)) as connection:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            named = response.headers.get("x-request-id", "").startswith("req_")
            return named and json.loads(response.read(_LARGEST_HEALTH)) == {"status": "ok"}
    except (OSError, HTTPException, ValueError):
        return False


def _path_fault(unix: UnixSocket) -> str | None:
    path = Path(unix.path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return "this user can make nothing in the directory"
    if os.path.lexists(path) and not stat.S_ISSOCK(path.lstat().st_mode):
        return "there is something else than a socket"
    return None


def _look_at_files(settings: Settings, findings: Findings) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    least, wanted = host.least_files(settings), host.wanted_files(settings)
    if most == resource.RLIM_INFINITY or most >= wanted:
        findings.saw("open files", f"{wanted} wanted, {_shown(most)} allowed")
    elif most >= least:
        findings.warn(f"open files: {most} are allowed, and a busy worker wants {wanted}.")
    else:
        findings.refuse(
            f"open files: {most} are allowed, and a worker needs {least}; raise LimitNOFILE= or "
            "ulimit -n, or lower STRONGROOM_THREADS."
        )


def _look_at_tasks(settings: Settings, findings: Findings) -> None:
    _, by_user = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [] if by_user == resource.RLIM_INFINITY or os.geteuid() == 0 else [by_user]
    by_group = host.task_limit()
    limits += [] if by_group is None else [by_group]
    most, needed = min(limits, default=resource.RLIM_INFINITY), host.needed_tasks(settings)
    if limits and most < needed:
        findings.refuse(
            f"tasks: {most} are allowed, and the server needs {needed}; raise TasksMax=, "
            "pids-limit or ulimit -u, or lower STRONGROOM_WORKERS or STRONGROOM_THREADS."
        )
    else:
        findings.saw("tasks", f"{needed} needed, {_shown(most)} allowed")


def _look_at_memory(settings: Settings, findings: Findings) -> None:
    most = host.memory_limit()
    least, wanted = host.least_memory(settings), host.wanted_memory(settings)
    if most >= wanted:
        findings.saw("memory", f"{wanted // _MIB} MiB wanted, {most // _MIB} MiB allowed")
        return
    sentence = f"memory: {most // _MIB} MiB are allowed, and the server "
    if most >= least:
        findings.warn(f"{sentence}takes {wanted // _MIB} MiB when all threads work.")
    else:
        findings.refuse(
            f"{sentence}needs {least // _MIB} MiB to start; raise MemoryMax= or the container's "
            "limit, or lower STRONGROOM_WORKERS."
        )


def _look_at_addresses(settings: Settings, findings: Findings) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    least = host.least_address_space(settings)
    if most != resource.RLIM_INFINITY and most < least:
        findings.refuse(
            f"address space: {most // _MIB} MiB are allowed, and a worker needs {least // _MIB}"
            " MiB; raise LimitAS= or ulimit -v, or lower STRONGROOM_THREADS."
        )


def _look_at_file_size(findings: Findings) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most != resource.RLIM_INFINITY and most < _SMALLEST_FILE_LIMIT:
        findings.warn(
            f"file size: the database may not grow beyond {most // _MIB} MiB; raise LimitFSIZE= or "
            "ulimit -f."
        )


def _look_at_directory_of_workers(settings: Settings, findings: Findings) -> None:
    place = host.directory_of_workers(settings.home)
    if place is None:
        findings.refuse(
            "STRONGROOM_HOME: this user can write neither there, nor where temporary files go, nor "
            "to /dev/shm."
        )
        return
    try:
        with tempfile.TemporaryFile(dir=place):
            findings.saw("files of workers", place)
    except OSError:
        findings.refuse(f"files of workers: no file can be made in {place}.")


def _shown(limit: int) -> str:
    return "any number" if limit == resource.RLIM_INFINITY else str(limit)
