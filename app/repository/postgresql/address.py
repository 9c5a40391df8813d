"""From the address of a database to the parameters of a connection.

libpq parses the address, and fills in from its environment variables and service files what the
address leaves out. It ignores empty values, so every parameter on which safety depends is stated
with a value: ``STATED``, the port, and what depends on where the hosts are:

- Over a network, TLS with the server's name verified, by a certificate authority that is named.
- Over loopback, the numeric address too, or ``PGHOSTADDR`` would lead to another machine.
- Over Unix sockets TLS is not used, and is required should anything lead away from them.
"""

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

from app.repository.base import DatabaseMisconfigured

SETTING = "STRONGROOM_DATABASE_URL"
MIGRATION_SETTING = "STRONGROOM_MIGRATION_DATABASE_URL"
EXAMPLE = (
    "postgresql://db1.example,db2.example/strongroom?user=strongroom&sslrootcert=/etc/ssl/db.pem"
)

STATED: Mapping[str, str] = {
    "client_encoding": "UTF8",
    "gssencmode": "disable",  # it would take the place of TLS, and verify no name
    "gssdelegation": "0",
    "sslnegotiation": "postgres",
    "sslcompression": "0",
    "ssl_min_protocol_version": "TLSv1.2",
    "ssl_max_protocol_version": "TLSv1.3",
    "load_balance_hosts": "disable",
}
"""The same for every address. No address may choose them."""

PERMITTED = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "user", "password", "passfile"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding"),
    }
)
"""The parameters that an address may choose."""

LONGEST = 4096
"""The length of the longest address, in characters."""

MOST_HOSTS = 8
"""The number of hosts that an address may list. Each that does not answer takes 2 seconds."""

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_REQUIRED = ("host", "dbname", "user")
_PORT = "5432"
_LAST_PORT = 65535
_DIGITS = re.compile("[0-9]{1,5}")
_VERIFIED = "verify-full"
_UNVERIFIED = frozenset({"disable", "allow", "prefer", "require", "verify-ca"})
_CHANNEL_BINDING = frozenset({"prefer", "require"})

# Where the server asks for a password at all, only SCRAM keeps it from whoever poses as the server.
_PROVES_PASSWORD = "scram-sha-256"  # noqa: S105 - a method's name
_SENDS_NO_PASSWORD = "!password,!md5"  # noqa: S105 - methods' names


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a database, and the way to it.

    Attributes:
        setting: The name of the setting that has it.
        parameters: Those of libpq; not shown, since they may hold a password.
    """

    setting: str
    parameters: Mapping[str, str] = field(repr=False)

    def files(self) -> dict[str, Path]:
        """The files that the address names, by the parameter that does."""
        named = {name: self.parameters.get(name) for name in _FILES}
        return {
            name: Path(path)
            for name, path in named.items()
            if path and (name, path) != ("sslrootcert", "system")
        }


def parse_address(url: str, setting: str = SETTING) -> Address:
    """Return the parameters of libpq for an address.

    Args:
        url: The address.
        setting: The name of the setting that has it.

    Raises:
        DatabaseMisconfigured: It cannot be read, lacks a part, or asks for a connection that is
            not verified. The message never repeats it.
    """
    given = _read(url)
    if given is None:
        raise DatabaseMisconfigured(f"{setting} must be like {EXAMPLE}")
    fault = _fault(given)
    if fault is not None:
        raise DatabaseMisconfigured(f"{setting}: {fault}")
    return Address(setting, {**STATED, **given, **_stated_by_place(given)})


def _read(url: str) -> dict[str, str] | None:
    if len(url) > LONGEST or not url.isprintable():
        return None
    with suppress(Error, ValueError):
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return None


def _fault(given: Mapping[str, str]) -> str | None:
    """Return what is wrong with an address, as a sentence without any of its values."""
    for name in _REQUIRED:
        if not given.get(name):
            return f"the {name} is missing."
    if given.keys() - PERMITTED:
        return f"permitted after the question mark are {', '.join(sorted(PERMITTED))}."
    if not all(map(str.isprintable, given.values())):
        return "control characters are not permitted, in no spelling."
    if given.get("channel_binding", "prefer") not in _CHANNEL_BINDING:
        return "channel_binding must be prefer or require."
    return _fault_of_hosts(given) or _fault_of_tls(given)


def _fault_of_hosts(given: Mapping[str, str]) -> str | None:
    hosts = given["host"].split(",")
    if len(hosts) > MOST_HOSTS:
        return f"at most {MOST_HOSTS} hosts may be listed."
    if not all(hosts):
        return "a host in the list is empty."
    if len(given.get("hostaddr", given["host"]).split(",")) != len(hosts):
        return "hostaddr must list as many addresses as there are hosts."
    ports = _ports(given)
    if len(ports) not in {1, len(hosts)} or not all(map(_is_port, ports)):
        return "each port must be a number from 1 to 65535: one for all hosts, or one for each."
    return None


def _fault_of_tls(given: Mapping[str, str]) -> str | None:
    mode = given.get("sslmode", _VERIFIED)
    if mode not in {*_UNVERIFIED, _VERIFIED}:
        return f"there is no such sslmode; use {_VERIFIED}."
    if _is_loopback(given):
        needs_tls = given.get("sslmode") == _VERIFIED
    else:
        needs_tls = "hostaddr" in given or not all(map(_is_socket, given["host"].split(",")))
        if needs_tls and mode != _VERIFIED:
            return f"sslmode must be {_VERIFIED}, except over loopback or a Unix socket."
    if needs_tls and not given.get("sslrootcert"):
        return (
            "sslrootcert is missing; it names the file with the certificate of the authority that "
            "signs the server's, or is system for those of this machine."
        )
    return None


def _stated_by_place(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that libpq would otherwise take from its environment."""
    has_password = bool(given.get("password") or given.get("passfile"))
    stated = {
        "port": ",".join(_ports(given)),
        "channel_binding": given.get("channel_binding", "prefer"),
        "require_auth": _PROVES_PASSWORD if has_password else _SENDS_NO_PASSWORD,
        "sslmode": _VERIFIED,
    }
    if _is_loopback(given):
        stated["sslmode"] = given.get("sslmode", "prefer")
        addresses = [_loopback_address(host) or host for host in given["host"].split(",")]
        stated["hostaddr"] = given.get("hostaddr") or ",".join(addresses)
    return stated


def _ports(given: Mapping[str, str]) -> list[str]:
    """Return one port for all hosts, or one for each."""
    return [port or _PORT for port in given.get("port", "").split(",")]


def _is_port(text: str) -> bool:
    return bool(_DIGITS.fullmatch(text)) and 1 <= int(text) <= _LAST_PORT


def _is_socket(host: str) -> bool:
    return host.startswith("/")


def _is_loopback(given: Mapping[str, str]) -> bool:
    """Return True if every host is reached over TCP, and none of them through a network."""
    hosts = [*given["host"].split(","), *given.get("hostaddr", "localhost").split(",")]
    return all(_loopback_address(host) for host in hosts)


def _loopback_address(host: str) -> str | None:
    if host == "localhost":
        return "127.0.0.1"
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return host
    return None
