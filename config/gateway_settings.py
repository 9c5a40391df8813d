"""The settings of the agent gateway: its process, and the listener on which it asks for admissions.

Both processes read them. ``STRONGROOM_GATEWAY_URL`` turns the gateway on: without it the API has no
admission listener, and no gateway token is made.
"""

import ipaddress
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, NamedTuple

from marshmallow import Schema

from config.listening import Address, AddressFault, TcpAddress, parse_address, parse_addresses
from config.setting_fields import number, parsed, split_url, switch, whole_number

Network = IPv4Network | IPv6Network

GATEWAY_URL = "STRONGROOM_GATEWAY_URL"
CONFIG_LABEL = "{config}"
"""Stands in the host name of the URL for the id of a config."""

METADATA = tuple(
    map(
        ipaddress.ip_network,
        (
            "169.254.0.0/16",  # AWS, Azure, Google and most others; containers of AWS
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure's host
            "192.0.0.192/32",  # Oracle
            "fd00:ec2::/32",  # AWS
            "fd20:ce::254/128",  # Google
            "fe80::/10",
        ),
    )
)
"""The addresses of services that hand credentials to their machine. No setting opens them."""

AT_HOME = ("STRONGROOM_GATEWAY_KEY_FILE", "STRONGROOM_GATEWAY_SOCKET")
"""The settings whose default is in ``STRONGROOM_HOME``."""

MAX_SOCKET_PATH = 100
"""The length of the path of a Unix socket, in bytes: 104 on macOS, 108 on Linux."""

_MAX_URL = 255
_MAX_NETWORKS = 64
_MAX_HOSTS = 256
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}")
_USER = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """The settings of the gateway.

    Attributes:
        gateway_url: The URL at which agents reach it, without a slash at its end; ``None`` turns
            the gateway off. ``{config}`` in its host stands for a config.
        gateway_shares_host: The URL may have the host name of the API.
        gateway_port: Of the default address, on loopback.
        gateway_bind: The addresses on which the gateway listens.
        gateway_metrics_bind: The address on which its metrics are read; ``None`` counts nothing.
        gateway_key_file: The file with the gateway's key.
        gateway_socket: The path of the Unix socket on which the API admits.
        gateway_user: The user of the gateway's process, if it is another one than the API's.
        gateway_workers: The number of processes that carry requests.
        gateway_networks: Private networks and clear-text hosts that origins may be in.
        gateway_hosts: The host names that origins may have; empty for all public ones.
        gateway_ca_file: Certificates to trust beside those of the system.
        gateway_token_ttl: The lifetime of a gateway token if none is asked for, in seconds.
        gateway_max_body: The size of the largest body of a request, in bytes.
        gateway_idle: The time after which a silent upstream is given up, in seconds.
    """

    gateway_url: str | None
    gateway_shares_host: bool
    gateway_port: int
    gateway_bind: tuple[Address, ...]
    gateway_metrics_bind: Address | None
    gateway_key_file: Path
    gateway_socket: str
    gateway_user: str | None
    gateway_workers: int
    gateway_networks: tuple[Network, ...]
    gateway_hosts: tuple[str, ...]
    gateway_ca_file: Path | None
    gateway_token_ttl: int
    gateway_max_body: int
    gateway_idle: int


def parse_url(text: str) -> str | None:
    """Check the URL of the gateway; an empty text turns it off.

    Raises:
        ValueError: It breaks a rule.
    """
    if not text:
        return None
    parts = split_url(text) if text == text.lower() else None
    host = parts and parts.hostname
    if parts is None or not host or parts.username or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query and fragment.")
    if parts.path or len(text) > _MAX_URL:
        raise ValueError(f"must end after host and port, and have at most {_MAX_URL} characters.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("must begin with https:// unless its host is on loopback.")
    if text.count(CONFIG_LABEL) != text.count("{") or text.count(CONFIG_LABEL) > 1:
        raise ValueError(f"may have one {CONFIG_LABEL}, and no other braces.")
    if CONFIG_LABEL in text and not host.startswith(f"{CONFIG_LABEL}."):
        raise ValueError(f"may have {CONFIG_LABEL} as the first label of its host only.")
    return text


def is_loopback(host: str) -> bool:
    """Return True if only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        found = tuple(ipaddress.ip_network(each) for each in text.split())
    except ValueError:
        raise ValueError("must list networks such as 10.1.2.0/24, without host bits.") from None
    if len(found) > _MAX_NETWORKS:
        raise ValueError(f"must list at most {_MAX_NETWORKS} networks.")
    if any(_opens_metadata(each) for each in found):
        raise ValueError("must not contain an address where a cloud hands out credentials.")
    return found


def _opens_metadata(network: Network) -> bool:
    return any(each.version == network.version and network.overlaps(each) for each in METADATA)


def _hosts(text: str) -> tuple[str, ...]:
    found = tuple(text.split())
    if len(found) > _MAX_HOSTS or not all(map(_HOST.fullmatch, found)):
        raise ValueError(f"must list at most {_MAX_HOSTS} lower-case host names, or *.SUFFIX.")
    return found


def _user(text: str) -> str | None:
    if text and not _USER.fullmatch(text):
        raise ValueError("must be the name or the number of a user.")
    return text or None


def _socket(text: str) -> str:
    path = str(Path(text).absolute())
    if not text or text.endswith("/") or len(path.encode()) > MAX_SOCKET_PATH:
        raise ValueError(
            f"must be a path that, made absolute, has at most {MAX_SOCKET_PATH} bytes."
        )
    return path


def _file(text: str) -> Path | None:
    return Path(text) if text else None


class GatewaySchema(Schema):
    """The fields of the gateway's settings."""

    gateway_url = parsed(GATEWAY_URL, parse_url, load_default=None)
    gateway_shares_host = switch("STRONGROOM_GATEWAY_SHARES_HOST")
    gateway_port = parsed("STRONGROOM_GATEWAY_PORT", whole_number(1, 65535))
    gateway_bind = parsed("STRONGROOM_GATEWAY_BIND", parse_addresses, AddressFault)
    gateway_metrics_bind = parsed(
        "STRONGROOM_GATEWAY_METRICS_BIND", parse_address, AddressFault, load_default=None
    )
    gateway_key_file = parsed("STRONGROOM_GATEWAY_KEY_FILE", Path)
    gateway_socket = parsed("STRONGROOM_GATEWAY_SOCKET", _socket)
    gateway_user = parsed("STRONGROOM_GATEWAY_USER", _user, load_default=None)
    gateway_workers = number("STRONGROOM_GATEWAY_WORKERS", 2, 1, 64)
    gateway_networks = parsed("STRONGROOM_GATEWAY_NETWORKS", _networks, load_default=())
    gateway_hosts = parsed("STRONGROOM_GATEWAY_HOSTS", _hosts, load_default=())
    gateway_ca_file = parsed("STRONGROOM_GATEWAY_CA_FILE", _file, load_default=None)
    gateway_token_ttl = number("STRONGROOM_GATEWAY_TOKEN_TTL", 24 * 3600, 1, 30 * 24 * 3600)
    gateway_max_body = number("STRONGROOM_GATEWAY_MAX_BODY", 100 << 20, 1, 10 << 30)
    gateway_idle = number("STRONGROOM_GATEWAY_IDLE", 600, 1, 3600)


class GatewayAccount(NamedTuple):
    """The user of the gateway's process.

    Attributes:
        group: Its main group; ``None`` if it has no entry in the list of users, as in containers.
    """

    user: int
    group: int | None


def gateway_account(settings: GatewaySettings) -> GatewayAccount | None:
    """Return the user of the gateway's process, if the settings name one that can exist."""
    user = settings.gateway_user
    if user is None:
        return None
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        return GatewayAccount(int(user), None) if user.isdecimal() else None
    return GatewayAccount(found.pw_uid, found.pw_gid)


def gateway_defaults(home: Path, port: int, loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that follow from other settings.

    Args:
        port: That of the API: the gateway's is the next one.
        loaded: The settings that were given.
    """
    gateway_port = loaded.get("gateway_port", min(port + 1, 65535))
    return {
        "gateway_port": gateway_port,
        "gateway_bind": (TcpAddress("127.0.0.1", gateway_port),),
        "gateway_key_file": home / "gateway.key",
        "gateway_socket": str(home.absolute() / "admission.sock"),
    }
