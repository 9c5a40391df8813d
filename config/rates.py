"""Settings of rate limits: a number of requests a second or minute, and the store that counts."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult

from config.setting_fields import split_url

_SECONDS = {"second": 1, "minute": 60}
_RATE = re.compile("([0-9]{1,7})/(second|minute)")
_MAX_REQUESTS = 1_000_000
_TCP = ("redis", "rediss")
_UNIX = "redis+unix"


class RateFault(Exception):
    """The rule that a text breaks. It does not repeat the text."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The number of requests that are admitted within some seconds."""

    requests: int
    period: str

    @property
    def seconds(self) -> int:
        """The length of the period."""
        return _SECONDS[self.period]

    def __str__(self) -> str:
        return f"{self.requests}/{self.period}"


def parse_rate(text: str) -> Rate | None:
    """Parse ``600/minute`` or ``20/second``; an empty text is no limit.

    Raises:
        RateFault: It is neither.
    """
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= _MAX_REQUESTS:
        raise RateFault(
            f"must be a whole number from 1 to {_MAX_REQUESTS}, then /second or /minute."
        )
    return Rate(int(match[1]), match[2])


def parse_store(text: str) -> str | None:
    """Check the URL of a Redis server; an empty text is none, so each worker counts by itself.

    Raises:
        RateFault: It is no such URL, or its password and counts would cross a network in clear.
    """
    if not text:
        return None
    parts = _split(text)
    if parts is None:
        raise RateFault("must be a URL: rediss://HOST:PORT, redis://127.0.0.1:PORT or redis+unix:")
    if parts.scheme == "redis" and not _is_loopback(parts.hostname or ""):
        raise RateFault("must begin with rediss:// unless the store is on a loopback address.")
    return text


def _split(text: str) -> SplitResult | None:
    """Split the URL of a store; ``None`` if it is none."""
    parts = split_url(text)
    if parts is None:
        return None
    named = parts.hostname if parts.scheme in _TCP else parts.path.strip("/")
    return parts if parts.scheme in (*_TCP, _UNIX) and named else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
