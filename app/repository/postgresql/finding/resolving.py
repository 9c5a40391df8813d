"""Looks up the addresses of hosts within a bound: the system's resolver has none.

The driver would look up a name in the thread that connects, for as long as the resolver takes. Here
each name is looked up in a thread of its own, once at a time, however many wait for it. The driver
then gets numeric addresses, and a certificate is still compared with the name.
"""

import ipaddress
import socket
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from threading import Lock

import psycopg

from app.repository.postgresql.address import Address
from backends.calls.daemon_thread import in_daemon_thread
from backends.calls.per_process import PerProcess
from backends.calls.request_deadline import seconds_remaining
from backends.errors import KeyUnavailable

LOOK_UP_S = 2.0
"""Limit of the wait for the resolver, for all hosts of an address together."""

MOST_ADDRESSES = 8
"""The number of addresses of one name that are tried."""

_LISTS = ("host", "hostaddr", "port")

Addresses = tuple[str, ...]


class Unresolved(psycopg.OperationalError):
    """No host of an address has a numeric address, as far as the resolver said in time."""

    def __init__(self) -> None:
        super().__init__("failed to resolve a host")


def resolve(address: Address) -> list[Address]:
    """Return an address for each place to connect to, in order, each with one host.

    Raises:
        Unresolved: No name was resolved in time.
    """
    hosts = _split(address)
    begun = [_begin(each) for each in hosts]
    end = time.monotonic() + seconds_remaining(LOOK_UP_S)
    found: list[Address] = []
    for each, look_up in zip(hosts, begun, strict=True):
        found += [each] if look_up is None else _places(each, look_up, end)
    if not found:
        raise Unresolved
    return found


def joined(places: list[Address]) -> Address:
    """Return one address with the hosts of all, for the driver to try in turn."""
    first = places[0]
    lists = {name: [each.parameters.get(name, "") for each in places] for name in _LISTS}
    given = {name: ",".join(values) for name, values in lists.items() if any(values)}
    return replace(first, parameters={**first.parameters, **given})


def _split(address: Address) -> list[Address]:
    """Return an address for each host; a port that is listed once is that of all."""
    given = address.parameters
    lists = {name: given[name].split(",") for name in _LISTS if name in given}
    number = max(map(len, lists.values()))
    return [
        replace(
            address,
            parameters={
                **given,
                **{name: each[place % len(each)] for name, each in lists.items()},
            },
        )
        for place in range(number)
    ]


def _begin(address: Address) -> "Future[Addresses] | None":
    """Begin to look up the host of an address, unless it is numeric, a socket, or known."""
    host = address.parameters["host"]
    if address.parameters.get("hostaddr") or host.startswith("/") or _is_numeric(host):
        return None
    return _LOOK_UPS.get().begin(host)


def _places(address: Address, look_up: "Future[Addresses]", end: float) -> list[Address]:
    try:
        numeric = look_up.result(max(end - time.monotonic(), 0))
    except OSError:  # the resolver's, or that of a wait that takes too long
        return []
    return [
        replace(address, parameters={**address.parameters, "hostaddr": each}) for each in numeric
    ]


def _is_numeric(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


class _LookUps:
    """The look-ups under way: one for each name."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[str, Future[Addresses]] = {}

    def begin(self, host: str) -> "Future[Addresses]":
        """Look up a name, or join who does so already."""
        with self._lock:
            look_up = self._under_way.get(host)
            if look_up is not None:
                return look_up
            try:
                look_up = in_daemon_thread(lambda: self._look_up(host), "look-up")
            except KeyUnavailable:  # the machine has no further thread
                look_up = Future()
                look_up.set_exception(OSError())
            else:
                self._under_way[host] = look_up
            return look_up

    def _look_up(self, host: str) -> Addresses:
        try:
            return _ask_resolver(host)
        finally:
            with self._lock:
                self._under_way.pop(host, None)


def _ask_resolver(host: str) -> Addresses:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        return ()  # a name that cannot be one
    return tuple(dict.fromkeys(str(place[0]) for *_, place in found))[:MOST_ADDRESSES]


_LOOK_UPS = PerProcess(_LookUps)
