"""The servers of this deployment, which no request through the gateway may reach.

An operator who opens a private network to agents does not mean the database in it. The gateway's
own settings need not name that database, as it runs as another user. So the API names its servers
in each admission, and the gateway adds those that its settings name.
"""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from app.domain.gateways.origins import Endpoint
from config.listening import TcpAddress
from config.settings import Settings

_DEFAULT_PORTS = {"postgresql": 5432, "redis": 6379, "rediss": 6379, "http": 80}
_OTHER_PORT = 443
_RETRY_SECONDS = 60.0


class OwnServers:
    """The servers that settings name.

    A name is resolved when somebody asks first, and once a minute until it has been found.
    """

    def __init__(self, settings: Settings) -> None:
        listening = [
            _listening(each)
            for each in (
                *settings.bind,
                *settings.gateway_bind,
                settings.metrics_bind,
                settings.gateway_metrics_bind,
            )
            if isinstance(each, TcpAddress)
        ]
        urls = [settings.database_url, settings.rate_limit_store, *settings.keys]
        urls += settings.escrow_keys
        self._found = frozenset(listening)
        self._unknown = frozenset(place for url in urls if url for place in _places(url))
        self._retry_at = 0.0

    def __call__(self) -> frozenset[Endpoint]:
        """Return their addresses."""
        if self._unknown and time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            resolved = {place: frozenset(_resolved(*place)) for place in self._unknown}
            self._found = self._found.union(*resolved.values())
            self._unknown = frozenset(place for place, found in resolved.items() if not found)
        return self._found


def _listening(address: TcpAddress) -> Endpoint:
    host = ipaddress.ip_address(address.host)
    return Endpoint(None if host.is_unspecified else host, address.port)


def _places(url: str) -> Iterator[tuple[str, int]]:
    """Yield host and port of each server that a URL names, as far as it names any."""
    with suppress(ValueError):
        scheme, netloc, path, *_ = urlsplit(url)
        if not netloc:  # as in vault-transit:https://vault.example
            scheme, netloc, *_ = urlsplit(path)
        for each in netloc.rpartition("@")[2].split(","):
            place = urlsplit(f"//{each}")
            if place.hostname:
                known = (_DEFAULT_PORTS.get(part) for part in scheme.split("+"))
                yield place.hostname, place.port or next(filter(None, known), _OTHER_PORT)


def _resolved(host: str, port: int) -> Iterator[Endpoint]:
    with suppress(OSError, ValueError):
        for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            yield Endpoint(ipaddress.ip_address(str(place[0]).partition("%")[0]), port)
