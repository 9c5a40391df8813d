"""Terms after an entry of ``--gateway``: ``,ttl=1h,requests=100,allow=GET|POST /v1/**``."""

import re
from collections.abc import Iterator, Mapping

import click

from app.client.time_span import TimeSpan

_NAMES = ("ttl", "requests", "requests_per_minute", "in_flight", "allow")
_NEXT = re.compile(f",(?=(?:{'|'.join(_NAMES)})=)")
_SECOND_MS = 1000
_NUMBER = re.compile("[1-9][0-9]{0,14}")
_RULE = re.compile(r"(?:([A-Z]{1,16}(?:\|[A-Z]{1,16})*) )?(/[!-~]*)")

TERMS_HELP = "ttl=1h, requests=N, requests_per_minute=N, in_flight=N, allow=GET|POST /path/**"


class BadTerm(Exception):
    """A term cannot be read.

    Args:
        name: Its name, which is one of ours.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def split_terms(text: str) -> tuple[str, list[str]]:
    """Return what stands before the terms, and each of them."""
    entry, *terms = _NEXT.split(text)
    return entry, terms


def parse_terms(terms: list[str]) -> Mapping[str, object]:
    """Return the fields of a request that the terms stand for.

    Raises:
        BadTerm: One is given twice, or is not in the form of its kind.
    """
    fields: dict[str, object] = {}
    limits: dict[str, int] = {}
    rules: list[dict[str, object]] = []
    for name, value in (term.split("=", 1) for term in terms):
        if name == "allow":
            rules += _rule(value)
        elif name == "ttl" and "ttl_seconds" not in fields:
            fields["ttl_seconds"] = _seconds(value)
        elif name != "ttl" and name not in limits and _NUMBER.fullmatch(value):
            limits[name] = int(value)
        else:
            raise BadTerm(name)
    if limits:
        fields["limits"] = limits
    if rules:
        fields["allow"] = rules
    return fields


def _seconds(value: str) -> int:
    try:
        span = TimeSpan("smhd").convert(value, None, None)
    except click.BadParameter:
        raise BadTerm("ttl") from None
    return span // _SECOND_MS


def _rule(value: str) -> Iterator[dict[str, object]]:
    match = _RULE.fullmatch(value)
    if match is None:
        raise BadTerm("allow")
    methods = {"methods": match[1].split("|")} if match[1] else {}
    yield {**methods, "path": match[2]}
