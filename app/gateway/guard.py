"""The addresses that the gateway may connect to: public ones, and networks of the operator's.

A config's host is a name, whose addresses change, or an address in one of many spellings. So the
decision is made where there is only one form left: for each address that is about to be dialled, by
the factory of its socket. Nothing can be resolved again between the check and the connection.

``is_global`` of Python is no such check: it holds for NAT64, 6to4, multicast and hosts of clouds
that stand in public ranges.
"""

import errno
import ipaddress
import socket
from collections.abc import Collection, Iterable

from aiohttp.connector import AddrInfoType

from app.domain.gateways.origins import Endpoint
from config.gateway_settings import METADATA, Network

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_6 = (
    ipaddress.IPv6Network("2001::/23"),  # Teredo, ORCHID and other protocols
    ipaddress.IPv6Network("2002::/16"),  # 6to4 carries an IPv4 address
    ipaddress.IPv6Network("3fff::/20"),  # documentation
)
_REFUSED_4 = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocols, and Oracle's metadata
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays
)


class AddressRefused(OSError):
    """The gateway must not reach an address that a name leads to; it is not named."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "the address is refused")


class Guard:
    """Decides on addresses.

    Args:
        networks: Those that are not public and may be reached, where an admission permits it.
        own: Servers of this deployment, which are refused whatever ``networks`` lists; an admission
            may name more.
    """

    def __init__(self, networks: Iterable[Network] = (), own: Collection[Endpoint] = ()) -> None:
        self._networks = tuple(networks)
        self._own = frozenset(own)

    def permits(
        self,
        host: str,
        port: int,
        *,
        private: bool,
        clear: bool = False,
        own: Collection[Endpoint] = (),
    ) -> bool:
        """Return True if the gateway may connect there.

        Args:
            host: An address as the system writes it.
            private: The admission permits the operator's networks.
            clear: The credential would go in clear text, which only these networks may see.
            own: More servers of this deployment.
        """
        try:
            address = _unmapped(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            return False
        if any(_contains(each, address) for each in METADATA):
            return False
        public = is_public(address)
        refused = (
            {Endpoint(address, port)} if public else {Endpoint(address, port), Endpoint(None, port)}
        )
        if not refused.isdisjoint(self._own) or not refused.isdisjoint(own):
            return False
        listed = private and any(_contains(each, address) for each in self._networks)
        return listed or (public and not clear)

    def socket(
        self,
        address: AddrInfoType,
        *,
        private: bool,
        clear: bool,
        own: Collection[Endpoint] = (),
    ) -> socket.socket:
        """Make the socket for an address that is about to be dialled.

        Raises:
            AddressRefused: The gateway must not reach it.
        """
        family, kind, protocol, _, place = address
        if family not in {socket.AF_INET, socket.AF_INET6}:
            raise AddressRefused
        host, port = str(place[0]), int(place[1])
        if not self.permits(host, port, private=private, clear=clear, own=own):
            raise AddressRefused
        return socket.socket(family, kind, protocol)


def is_public(address: _Address) -> bool:
    """Return True if an address belongs to one host of the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        refused = any(address in each for each in _REFUSED_4)
        return address.is_global and not address.is_multicast and not refused
    inside = address in _UNICAST_6 and not any(address in each for each in _REFUSED_6)
    return address.is_global and inside


def _unmapped(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 one stands for on this machine's own stack."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _contains(network: Network, address: _Address) -> bool:
    return address.version == network.version and address in network
