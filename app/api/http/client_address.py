"""The client's address of the current request, in canonical form.

A proxy in front states it in a header, and so can every local process that reaches the server. Text
that is no address is ignored, and never stored.
"""

import ipaddress
from functools import lru_cache

from flask import request

_LONGEST = 45  # an IPv4 address within IPv6, written out


def client_address() -> str | None:
    """Return the address that the proxies state, else the peer's; ``None`` if neither is valid."""
    before = request.environ.get("werkzeug.proxy_fix.orig", {})
    return canonical_address(request.remote_addr) or canonical_address(before.get("REMOTE_ADDR"))


@lru_cache(maxsize=1024)
def canonical_address(text: str | None) -> str | None:
    """Return an address in canonical form; ``None`` for text that is none."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:  # any text at all
            return None
        return str(address.ipv4_mapped or address)
    return str(address)
