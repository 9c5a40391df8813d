"""The servers of this deployment, which no request through the gateway may reach.

An operator who opens a private network to agents does not mean the database in it. Names are
resolved once, when the process starts.
"""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from app.gateway.guard import Endpoint
from config.listening import TcpAddress
from config.settings import Settings

_DEFAULT_PORTS = {"postgresql": 5432, "redis": 6379, "rediss": 6379, "http": 80}
_OTHER_PORT = 443


def own_endpoints(settings: Settings) -> frozenset[Endpoint]:
    """Return the addresses of the API, the gateway, the database and the key providers."""
    urls = [settings.database_url, settings.rate_limit_store, *settings.keys, *settings.escrow_keys]
    places = [place for url in urls if url for place in _places(url)]
    listening = [
        _listening(each)
        for each in (*settings.bind, *settings.gateway_bind)
        if isinstance(each, TcpAddress)
    ]
    return frozenset([*listening, *(found for place in places for found in _resolved(*place))])


def _listening(address: TcpAddress) -> Endpoint:
    host = ipaddress.ip_address(address.host)
    return Endpoint(None if host.is_unspecified else host, address.port)


def _places(url: str) -> Iterator[tuple[str, int]]:
    """Yield host and port of each server that a URL names, as far as it names any."""
    with suppress(ValueError):
        scheme, netloc, *_ = urlsplit(url)
        for each in netloc.rpartition("@")[2].split(","):
            place = urlsplit(f"//{each}")
            if place.hostname:
                known = (_DEFAULT_PORTS.get(part) for part in scheme.split("+"))
                yield place.hostname, place.port or next(filter(None, known), _OTHER_PORT)


def _resolved(host: str, port: int) -> Iterator[Endpoint]:
    with suppress(OSError, ValueError):
        for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            yield Endpoint(ipaddress.ip_address(str(place[0]).partition("%")[0]), port)
