"""Compares this machine's limits with the server's needs, for ``strongroom check``."""

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
from config import Examined, Settings, host, taken_port
from config.listening import Address, TcpAddress, UnixSocket

_MIB = 1 << 20
_SMALLEST_FILE_LIMIT = 1 << 30
_HEALTH_SECONDS = 2.0
_HEALTH_BYTES = 4096

_BIND_FAULTS = {
    errno.EACCES: "this user may not use the port; take one from 1024 up",
    errno.EADDRNOTAVAIL: "this machine does not have the address",
    errno.EAFNOSUPPORT: "this machine does not have the kind of address",
}


def look_at_machine(examined: Examined, *, before_start: bool = False) -> Findings:
    """Compare the server's needs with this machine's limits.

    Args:
        before_start: True to refuse a port that a running Strongroom has.
    """
    findings, settings = Findings(), examined.settings
    if not examined.wrong & {"PORT", "STRONGROOM_BIND"}:
        for endpoint in settings.bind:
            _look_at_address(endpoint, settings.bind_setting, findings, before_start=before_start)
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
    """Return a fault if a cryptographic primitive is missing, as in some FIPS builds."""
    key = DataKey.random()
    try:
        if bytes(open_envelope(key, seal(key, b"a value", b""), b"")) == b"a value":
            return None
    except Exception:  # noqa: BLE001 - any failure means that nothing can be sealed here
        return "cryptography: this build of OpenSSL lacks AES-256-GCM, HKDF or SHA-512."
    return "cryptography: this build of OpenSSL does not open what it sealed."


def _look_at_address(
    address: Address, setting: str, findings: Findings, *, before_start: bool
) -> None:
    if isinstance(address, TcpAddress) and taken_port.is_taken(address.host, address.port):
        is_ours = _is_strongroom(address)
        if before_start or not is_ours:
            program = "a Strongroom" if is_ours else "another program"
            findings.refuse(taken_port.fault(setting, str(address), address.port, program))
            return
        fault = None
    else:
        fault = _tcp_fault(address) if isinstance(address, TcpAddress) else _path_fault(address)
    if fault is None:
        findings.saw("listening", str(address))
    else:
        findings.refuse(f"STRONGROOM_BIND: {address}: {fault}.")


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
        return _BIND_FAULTS.get(error.errno or 0, "nothing can listen there")
    return None


def _is_reachable(address: TcpAddress) -> bool:
    """Return True if this machine can connect to the listener at the address."""
    with closing(_connection(address)) as connection:
        try:
            connection.connect()
        except OSError:
            return False
    return True


def _is_strongroom(address: TcpAddress) -> bool:
    """Return True if a Strongroom responds there; it may be the one that is checked."""
    try:
        with closing(_connection(address)) as connection:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            has_id = response.headers.get("x-request-id", "").startswith("req_")
            return has_id and json.loads(response.read(_HEALTH_BYTES)) == {"status": "ok"}
    except (OSError, HTTPException, ValueError):
        return False


def _connection(address: TcpAddress) -> HTTPConnection:
    return HTTPConnection(urlsplit(address.url).netloc, timeout=_HEALTH_SECONDS)


def _path_fault(unix: UnixSocket) -> str | None:
    path = Path(unix.path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return "this user cannot create files in the directory"
    if os.path.lexists(path) and not stat.S_ISSOCK(path.lstat().st_mode):
        return "the file exists and is not a socket"
    return None


def _look_at_files(settings: Settings, findings: Findings) -> None:
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed, wanted = host.needed_files(settings), host.wanted_files(settings)
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        findings.saw("open files", f"{wanted} wanted, {_shown(limit)} allowed")
    elif limit >= needed:
        findings.warn(f"open files: {limit} are allowed, and a busy worker wants {wanted}.")
    else:
        findings.refuse(
            f"open files: {limit} are allowed, and a worker needs {needed}; raise LimitNOFILE= or "
            "ulimit -n, or lower STRONGROOM_THREADS."
        )


def _look_at_tasks(settings: Settings, findings: Findings) -> None:
    _, by_user = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [] if by_user == resource.RLIM_INFINITY or os.geteuid() == 0 else [by_user]
    by_group = host.task_limit()
    limits += [] if by_group is None else [by_group]
    limit, needed = min(limits, default=resource.RLIM_INFINITY), host.needed_tasks(settings)
    if limits and limit < needed:
        findings.refuse(
            f"tasks: {limit} are allowed, and the server needs {needed}; raise TasksMax=, "
            "pids-limit or ulimit -u, or lower STRONGROOM_WORKERS or STRONGROOM_THREADS."
        )
    else:
        findings.saw("tasks", f"{needed} needed, {_shown(limit)} allowed")


def _look_at_memory(settings: Settings, findings: Findings) -> None:
    limit = host.memory_limit()
    needed, wanted = host.needed_memory(settings), host.wanted_memory(settings)
    if limit >= wanted:
        findings.saw("memory", f"{wanted // _MIB} MiB wanted, {limit // _MIB} MiB allowed")
        return
    sentence = f"memory: {limit // _MIB} MiB are allowed, and the server "
    if limit >= needed:
        findings.warn(f"{sentence}takes {wanted // _MIB} MiB when all threads work.")
    else:
        findings.refuse(
            f"{sentence}needs {needed // _MIB} MiB to start; raise MemoryMax= or the container's "
            "limit, or lower STRONGROOM_WORKERS."
        )


def _look_at_addresses(settings: Settings, findings: Findings) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = host.needed_address_space(settings)
    if limit != resource.RLIM_INFINITY and limit < needed:
        findings.refuse(
            f"address space: {limit // _MIB} MiB are allowed, and a worker needs {needed // _MIB}"
            " MiB; raise LimitAS= or ulimit -v, or lower STRONGROOM_THREADS."
        )


def _look_at_file_size(findings: Findings) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY and limit < _SMALLEST_FILE_LIMIT:
        findings.warn(
            f"file size: the database may not grow beyond {limit // _MIB} MiB; raise LimitFSIZE= "
            "or ulimit -f."
        )


def _look_at_directory_of_workers(settings: Settings, findings: Findings) -> None:
    place = host.directory_of_workers(settings.home)
    if place is None:
        findings.refuse(
            "STRONGROOM_HOME: this user can write neither there, nor to a temporary directory, nor "
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
