"""From ``STRONGROOM_DATABASE_URL`` to the parameters of a connection.

libpq parses the address, and fills in from its own environment variables what the address leaves
out. The parameters on which safety depends are therefore always stated.
"""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

from app.repository.base import DatabaseMisconfigured

SETTING = "STRONGROOM_DATABASE_URL"
_EXAMPLE = (
    "postgresql://db1.example,db2.example/strongroom?user=strongroom&sslrootcert=/etc/ssl/db.pem"
)

_PERMITTED = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "user", "password", "passfile"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding"),
    }
)
_REQUIRED = ("host", "dbname", "user")

Address = Mapping[str, str]


def parse_address(url: str) -> Address:
    """Return the parameters of libpq for an address.

    Raises:
        DatabaseMisconfigured: It cannot be read, lacks a part, or asks for a connection that is
            not verified. The message never repeats it.
    """
    given = _read(url)
    if given is None:
        raise DatabaseMisconfigured(f"{SETTING} must be like {_EXAMPLE}")
    for name in _REQUIRED:
        if not given.get(name):
            raise DatabaseMisconfigured(f"{SETTING}: the {name} is missing.")
    if given.keys() - _PERMITTED:
        raise DatabaseMisconfigured(
            f"{SETTING}: permitted after the question mark are {', '.join(sorted(_PERMITTED))}."
        )
    if _is_local(given):
        return {"sslmode": "prefer", **given}
    if given.setdefault("sslmode", "verify-full") != "verify-full":
        raise DatabaseMisconfigured(
            f"{SETTING}: sslmode must be verify-full, except over loopback or a Unix socket."
        )
    return given


def _read(url: str) -> dict[str, str] | None:
    with suppress(Error, ValueError):
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return None


def _is_local(address: Address) -> bool:
    """Return True if no host is reached through a network."""
    hosts = [*address["host"].split(","), *address.get("hostaddr", "localhost").split(",")]
    return all(map(_is_this_machine, hosts))


def _is_this_machine(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
