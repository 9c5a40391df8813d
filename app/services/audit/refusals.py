"""Counts of refused requests, which nobody with a proved credential sent.

Each would be a record otherwise, and a million bad tokens would be a million records. So they are
counted by what was asked for, why it was refused and from where, and recorded once a minute.
"""

import ipaddress
from collections import Counter
from threading import Lock
from typing import NamedTuple

LIMIT = 64
"""The number of counts that a worker records at once; all further ones are counted together."""

_IPV4_BITS = 24
_IPV6_BITS = 48


class Refusal(NamedTuple):
    """Requests that are counted together.

    Attributes:
        action: The endpoint, or ``other``.
        cause: The code of the error, or ``other``.
        block: The addresses, as a network; ``None`` if they are unknown or many.
    """

    action: str
    cause: str
    block: str | None


OTHER = Refusal("other", "other", None)


class Refusals:
    """The counts of one worker since they were last taken. A kill loses up to a minute of them."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()
        self._lock = Lock()

    def count(self, action: str, cause: str, address: str | None) -> None:
        """Count one refused request.

        Args:
            address: The client's, in canonical form.
        """
        refusal = Refusal(action, cause, block_of(address))
        with self._lock:
            is_counted = refusal in self._counts or len(self._counts) < LIMIT
            self._counts[refusal if is_counted else OTHER] += 1

    def take(self) -> Counter[Refusal]:
        """Return the counts, and begin new ones."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def put_back(self, counts: Counter[Refusal]) -> None:
        """Add counts that could not be recorded."""
        with self._lock:
            for refusal, count in counts.items():
                is_counted = refusal in self._counts or len(self._counts) < LIMIT
                self._counts[refusal if is_counted else OTHER] += count


def block_of(address: str | None) -> str | None:
    """Return the network of an address: 256 addresses of IPv4, one site of IPv6."""
    if address is None:
        return None
    bits = _IPV6_BITS if ":" in address else _IPV4_BITS
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
