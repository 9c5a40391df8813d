"""Looks at what the agent gateway needs on this machine, for ``strongroom check``."""

import json
import os
import stat
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from app.cli.client_env import ClientEnv
from app.cli.gateway_key_file import SETTING as KEY_FILE
from app.cli.gateway_key_file import read_gateway_key
from app.domain.operations.findings import Findings
from config import Examined, Settings, SettingsError, taken_port
from config.files import UnsafeFile
from config.gateway_settings import GATEWAY_URL, MAX_SOCKET_PATH, gateway_account, is_loopback
from config.listening import TcpAddress

_SOCKET = "STRONGROOM_GATEWAY_SOCKET"
_USER = "STRONGROOM_GATEWAY_USER"
_CA_FILE = "STRONGROOM_GATEWAY_CA_FILE"
_PORT = "STRONGROOM_GATEWAY_PORT"
_MARK = "x-strongroom-gateway"
_SECONDS = 2.0
_BYTES = 4096


def look_at_gateway(examined: Examined) -> Findings:
    """Find what would keep the gateway from serving, or from being safe."""
    findings, settings = Findings(), examined.settings
    if settings.gateway_url is None or GATEWAY_URL in examined.wrong:
        return findings
    _look_at_host(settings, settings.gateway_url, findings)
    _look_at_key(settings, findings)
    _look_at_socket(settings, findings)
    _look_at_user(settings, findings)
    _look_at_ports(settings, findings)
    _look_at_certificates(settings, findings)
    return findings


def _look_at_host(settings: Settings, url: str, findings: Findings) -> None:
    """Refuse the host name of the API: a browser sends cookies of one to the other."""
    own, ours = urlsplit(url).hostname or "", ClientEnv(settings.home).host
    if ours is None or is_loopback(own) or settings.gateway_shares_host:
        return
    if own == ours:
        findings.refuse(
            f"{GATEWAY_URL}: it has the API's host name; give the gateway a name of its own, or "
            "set STRONGROOM_GATEWAY_SHARES_HOST=1."
        )


def _look_at_key(settings: Settings, findings: Findings) -> None:
    """Look at the key, unless it is with a user whose files this one does not see."""
    if settings.gateway_user is not None and not os.path.lexists(settings.gateway_key_file):
        return
    try:
        key = read_gateway_key(settings)
    except SettingsError as error:
        for fault in error.faults:
            findings.refuse(fault)
        return
    if not key.reveal().startswith("gwk_"):
        findings.refuse(f"{KEY_FILE}: the file must hold a gateway key.")


def _look_at_socket(settings: Settings, findings: Findings) -> None:
    path = Path(settings.gateway_socket)
    if len(settings.gateway_socket.encode()) > MAX_SOCKET_PATH:
        findings.warn(
            f"{_SOCKET}: the path below STRONGROOM_HOME is longer than a socket's may be; name a "
            "shorter one. make run does so by itself."
        )
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        findings.refuse(f"{_SOCKET}: this user cannot create files in the directory.")
    elif os.path.lexists(path) and not stat.S_ISSOCK(path.lstat().st_mode):
        findings.refuse(f"{_SOCKET}: the file exists and is not a socket.")
    else:
        findings.saw("admissions", f"unix:{path}")


def _look_at_user(settings: Settings, findings: Findings) -> None:
    if settings.gateway_user is None:
        return
    account = gateway_account(settings)
    if account is None:
        findings.refuse(f"{_USER}: this machine has no such user.")
    elif os.geteuid() and account.group not in {None, os.getegid(), *os.getgroups()}:
        findings.refuse(
            f"{_USER}: this server's user must be in the main group of the gateway's user, to give "
            "it the admission socket."
        )


def _look_at_ports(settings: Settings, findings: Findings) -> None:
    for each in settings.gateway_bind:
        if not isinstance(each, TcpAddress):
            continue
        if taken_port.is_taken(each.host, each.port) and not _is_gateway(each):
            findings.refuse(taken_port.fault(_PORT, str(each), each.port))
        else:
            findings.saw("gateway", str(each))


def _is_gateway(address: TcpAddress) -> bool:
    """Return True if an agent gateway answers there; it may be the one that is checked."""
    netloc = urlsplit(address.url).netloc
    try:
        with closing(HTTPConnection(netloc, timeout=_SECONDS)) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.headers.get(_MARK) == "refused" and bool(
                json.loads(response.read(_BYTES))
            )
    except (OSError, HTTPException, ValueError):
        return False


def _look_at_certificates(settings: Settings, findings: Findings) -> None:
    if settings.gateway_ca_file is None:
        return
    try:
        settings.files.read_bundle(settings.gateway_ca_file)
    except UnsafeFile as fault:
        findings.refuse(f"{_CA_FILE}: the file {fault}.")
