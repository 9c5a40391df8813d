"""The addresses of ``STRONGROOM_BIND``: Unix sockets and TCP addresses."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})")
_LAST_PORT = 65535
_MAX_ADDRESSES = 16
_LONGEST_PATH = 100  # in bytes; sockaddr_un holds 108 on Linux and 104 on macOS


class AddressFault(ValueError):
    """One sentence about an address; it does not repeat the address."""


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A socket in the file system.

    Attributes:
        path: Absolute.
    """

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A port of one network address.

    Attributes:
        host: Canonical, IPv6 without brackets.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True if only this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        """The URL for clients on this machine."""
        host = ipaddress.ip_address(self.host)
        if host.is_unspecified:
            host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")  # noqa: PLR2004
        return f"http://{TcpAddress(str(host), self.port)}"


Address = UnixSocket | TcpAddress


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Parse a list separated by white space.

    Raises:
        AddressFault: The list is empty or too long, or an entry is malformed or listed twice.
    """
    parsed = tuple(_parse(each) for each in text.split())
    if not 1 <= len(parsed) <= _MAX_ADDRESSES:
        raise AddressFault(f"must list 1 to {_MAX_ADDRESSES} addresses.")
    if len(set(parsed)) != len(parsed):
        raise AddressFault("must not list an address twice.")
    return parsed


def parse_address(text: str) -> Address | None:
    """Parse one address; an empty text is none.

    Raises:
        AddressFault: It is malformed.
    """
    return _parse(text) if text else None


def _parse(text: str) -> Address:
    if text.startswith("unix:"):
        return _parse_path(text.removeprefix("unix:"))
    matched = _ADDRESS.fullmatch(text)
    if matched is None:
        raise AddressFault("must list unix:PATH or ADDRESS:PORT, an IPv6 address in brackets.")
    try:
        host = ipaddress.ip_address(matched[1] or matched[2])
    except ValueError:
        raise AddressFault("must list IP addresses, not names.") from None
    port = int(matched[3])
    if not 1 <= port <= _LAST_PORT:
        raise AddressFault(f"must list ports from 1 to {_LAST_PORT}.")
    return TcpAddress(str(host), port)


def _parse_path(path: str) -> UnixSocket:
    if not Path(path).is_absolute() or path.endswith("/") or "\0" in path:
        raise AddressFault("must list absolute paths after unix:.")
    if len(path.encode()) > _LONGEST_PATH:
        raise AddressFault(f"must list paths of at most {_LONGEST_PATH} bytes after unix:.")
    return UnixSocket(path)
