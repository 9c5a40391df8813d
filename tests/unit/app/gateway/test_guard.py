"""The addresses that the gateway dials, in every spelling that the system knows."""

import ipaddress
import socket

import pytest

from app.domain.gateways.origins import Endpoint
from app.gateway.guard import AddressRefused, Guard

_PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "160.79.104.10",
    "192.0.1.1",
    "223.255.255.254",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
]
_NEVER = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "233.252.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
    "",
]
_METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"]
_EVERYTHING = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]


@pytest.mark.parametrize("address", _PUBLIC)
def test_a_public_address_is_dialled(address: str) -> None:
    assert Guard().permits(address, 443, private=False)


@pytest.mark.parametrize("address", _NEVER)
def test_no_other_address_is_dialled(address: str) -> None:
    assert not Guard().permits(address, 443, private=True)


@pytest.mark.parametrize("address", [*_METADATA, "::ffff:169.254.169.254"])
def test_metadata_is_refused_whatever_is_listed(address: str) -> None:
    assert not Guard(_EVERYTHING).permits(address, 80, private=True)


def test_a_listed_network_is_dialled_where_the_admission_permits_it() -> None:
    guard = Guard([ipaddress.ip_network("10.1.0.0/16")])
    assert guard.permits("10.1.2.3", 80, private=True)
    assert guard.permits("::ffff:10.1.2.3", 80, private=True)
    assert not guard.permits("10.1.2.3", 80, private=False)
    assert not guard.permits("10.2.2.3", 80, private=True)


def test_clear_text_goes_to_listed_networks_only() -> None:
    guard = Guard([ipaddress.ip_network("10.1.0.0/16")])
    assert guard.permits("10.1.2.3", 80, private=True, clear=True)
    assert not guard.permits("1.1.1.1", 80, private=True, clear=True)


def test_our_own_servers_are_refused_in_a_listed_network() -> None:
    database = ipaddress.ip_address("10.1.2.3")
    guard = Guard(_EVERYTHING, [Endpoint(database, 5432), Endpoint(None, 8080)])
    assert not guard.permits("10.1.2.3", 5432, private=True)
    assert not guard.permits("::ffff:10.1.2.3", 5432, private=True)
    assert guard.permits("10.1.2.3", 5433, private=True)
    assert not guard.permits("127.0.0.9", 8080, private=True)
    assert guard.permits("1.1.1.1", 8080, private=True)


@pytest.mark.parametrize("spelling", ["127.0.0.1", "2130706433", "0x7f000001", "0177.1", "127.1"])
def test_a_spelling_of_loopback_is_refused_where_it_is_dialled(spelling: str) -> None:
    for address in socket.getaddrinfo(spelling, 80, type=socket.SOCK_STREAM):
        with pytest.raises(AddressRefused):
            Guard().socket(address, private=True, clear=False)


def test_a_refusal_does_not_name_the_address() -> None:
    (address,) = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    with pytest.raises(AddressRefused) as refused:
        Guard().socket(address, private=True, clear=False)
    assert "127" not in str(refused.value)


def test_a_socket_of_another_kind_is_refused() -> None:
    with pytest.raises(AddressRefused):
        Guard(_EVERYTHING).socket(
            (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("x", 0)), private=True, clear=False
        )
