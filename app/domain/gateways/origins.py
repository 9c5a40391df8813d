"""Origins: the upstream of a gateway config, from the URL that its writer gave.

The URL is taken apart here and nowhere else, by rules that leave one reading. Clients of URLs
differ about user info, backslashes, numbers as addresses and dots in paths, so a URL with any of
these is refused. The address behind a host's name is checked by the gateway, when it connects.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from app.domain.errors import InvalidRequest

MAX_ENDPOINT_LENGTH = 2048
MAX_HOST_LENGTH = 253

_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]/?#@:\\]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<base>/[A-Za-z0-9._~/-]*)?"
)
_LABEL = re.compile("[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_PORT = 65535
_RULE = (
    "must be an https URL of a host name in ASCII, with at most a port and a path without dot "
    "segments; no user, query or fragment"
)
_CLEAR_TEXT_RULE = "must be https; STRONGROOM_GATEWAY_NETWORKS admits http to the networks it lists"


class Endpoint(NamedTuple):
    """A server of our own that no request may reach; on any address if it listens on all.

    Attributes:
        host: An address, or ``None`` for every address that is not public.
    """

    host: IPv4Address | IPv6Address | None
    port: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The upstream of a config.

    Attributes:
        host: In lower case; an IPv6 address without brackets.
        base: The path before every request's own, without a slash at its end; may be empty.
    """

    scheme: str
    host: str
    port: int
    base: str

    @property
    def text(self) -> str:
        """The one URL of this origin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.base}"


def parse_origin(text: str) -> Origin:
    """Parse the URL of an upstream.

    Raises:
        InvalidRequest: It has more parts than an origin and a base path, or several readings.
    """
    match = _URL.fullmatch(text) if len(text) <= MAX_ENDPOINT_LENGTH else None
    if match is None or match["scheme"] not in _DEFAULT_PORTS:
        raise _bad_endpoint(_RULE)
    host = _canonical_host(match["host"])
    port = int(match["port"] or _DEFAULT_PORTS[match["scheme"]])
    base = (match["base"] or "").rstrip("/")
    segments = base.split("/")[1:]
    if host is None or not 1 <= port <= _MAX_PORT or not {"", ".", ".."}.isdisjoint(segments):
        raise _bad_endpoint(_RULE)
    return Origin(match["scheme"], host, port, base)


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """The operator's rules for the upstreams that configs may name.

    Attributes:
        hosts: Names, and ``*.example.com`` for all names below one; ``None`` for every public host.
        admits_http: Networks are listed to which requests may go without TLS.
        own_host: The host of the gateway itself, which is no upstream.
    """

    hosts: tuple[str, ...] | None = None
    admits_http: bool = False
    own_host: str | None = None

    def check(self, origin: Origin) -> None:
        """Refuse an upstream that the operator does not admit.

        Raises:
            InvalidRequest: The rule that it breaks.
        """
        if origin.scheme == "http" and not self.admits_http:
            raise _bad_endpoint(_CLEAR_TEXT_RULE)
        if origin.host == self.own_host:
            raise _bad_endpoint("must not be the gateway itself")
        if not self.admits(origin.host):
            raise _bad_endpoint("must name a host that STRONGROOM_GATEWAY_HOSTS lists")

    def admits(self, host: str) -> bool:
        """Return True if the operator lists the host, or lists none."""
        return self.hosts is None or any(
            host.endswith(listed[1:]) if listed.startswith("*.") else host == listed
            for listed in self.hosts
        )


def _bad_endpoint(rule: str) -> InvalidRequest:
    """Return the refusal of an endpoint."""
    return InvalidRequest("The gateway config is not valid.", {"endpoint": rule})


def _canonical_host(text: str) -> str | None:
    """The host as it stands in an origin, or ``None`` for one that has several readings."""
    lower = text.lower()
    if lower.startswith("["):
        address = _address(lower[1:-1])
        return str(address) if isinstance(address, IPv6Address) else None
    labels = lower.split(".")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):  # an address, for some in odd forms
        address = _address(lower)
        return str(address) if isinstance(address, IPv4Address) else None
    is_name = len(lower) <= MAX_HOST_LENGTH and all(map(_LABEL.fullmatch, labels))
    return lower if is_name else None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
