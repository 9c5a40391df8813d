"""The headers that pass, in both directions.

Towards the upstream everything goes that could carry a credential, frame the message, or tell a
server to read another host, path or method than those that were admitted. What remains of the
client's headers stands before those that the admission sets, whose names it can no longer hold.

Towards the client everything goes that would act on the gateway's own host name, beside what
frames the message.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from multidict import CIMultiDict

from app.gateway.messages.credentials import Header, holds_token
from app.gateway.messages.refusals import MARK

_NAME = re.compile("[A-Za-z0-9-]{1,64}")
_VALUE = re.compile("[\t -~]*")
_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_HOP = re.compile(r"(?:HTTP/)?[0-9](?:\.[0-9])? [A-Za-z0-9.:-]{1,100}")
_MAX_HOPS = 10

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "proxy-authentication-info",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CREDENTIALS = frozenset(
    {
        "api-key",
        "apikey",
        "authorization",
        "cookie",
        "cookie2",
        "dd-api-key",
        "dd-application-key",
        "job-token",
        "private-token",
        "x-access-token",
        "x-amz-security-token",
        "x-api-key",
        "x-api-token",
        "x-apikey",
        "x-auth-key",
        "x-auth-token",
        "x-goog-api-key",
        "x-shopify-access-token",
        "x-vault-token",
    }
)
_MISLEADING = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "content-length",  # the carrier sets it
        "early-data",
        "expect",
        "forwarded",
        "host",
        "max-forwards",
        "true-client-ip",
        "via",  # the carrier sets it
        "x-client-ip",
        "x-cluster-client-ip",
        "x-forwarded",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-override-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
_DROPPED = _HOP_BY_HOP | _CREDENTIALS | _MISLEADING
_DROPPED_PREFIXES = ("proxy-", "sec-websocket-", "x-forwarded-", "x-original-", "x-strongroom-")

_DROPPED_OF_ANSWERS = _HOP_BY_HOP | {
    "alt-svc",
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "expect-ct",
    "nel",
    "origin-agent-cluster",
    "public-key-pins",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "server-timing",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "sourcemap",
    "strict-transport-security",
    "via",
    "x-content-type-options",
    MARK,
}
_SET_ON_ANSWERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)


def raw_headers(fields: Iterable[tuple[bytes, bytes]]) -> list[Header]:
    """Decode headers as they were parsed, byte by byte."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def is_sendable(value: str) -> bool:
    """Return True if a header may have this value, so that nobody reads it as two lines."""
    return _SENDABLE.fullmatch(value) is not None


def is_looped(headers: Iterable[Header], pseudonym: str) -> bool:
    """Return True if this gateway carried the request before."""
    return any(pseudonym in value for name, value in headers if name.lower() == "via")


def headers_out(
    received: Collection[Header], added: Iterable[Header], *, pseudonym: str, is_scrubbed: bool
) -> CIMultiDict[str]:
    """Return the headers of the request to the upstream, without those that frame its body.

    Args:
        received: The client's.
        added: The credential and the config's own headers. Each of these names occurs once.
        pseudonym: The gateway's name in ``Via``.
        is_scrubbed: The answer is searched, so it must not be compressed.
    """
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in _passing(received, _DROPPED):
        if not holds_token(value):
            sent.add(name, value)
    if is_scrubbed:
        sent["Accept-Encoding"] = "identity"
    sent["Via"] = _via(received, pseudonym)
    for name, value in added:
        sent[name] = value  # replaces every one of this name, in whatever case
    return sent


def headers_in(received: Collection[Header]) -> CIMultiDict[str]:
    """Return the headers of the response to the client, of those that the upstream sent."""
    sent: CIMultiDict[str] = CIMultiDict(_passing(received, _DROPPED_OF_ANSWERS))
    sent.update(_SET_ON_ANSWERS)
    sent.setdefault("Server", "strongroom")
    return sent


def _passing(received: Collection[Header], dropped: frozenset[str]) -> Iterator[Header]:
    nominated = {
        each.strip().lower()
        for name, value in received
        if name.lower() == "connection"
        for each in value.split(",")
    }
    for name, value in received:
        lowered = name.lower()
        if lowered in dropped or lowered in nominated or lowered.startswith(_DROPPED_PREFIXES):
            continue
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value):
            yield name, value


def _via(received: Iterable[Header], pseudonym: str) -> str:
    stated = (value for name, value in received if name.lower() == "via")
    hops = (each.strip() for value in stated for each in value.split(","))
    kept = [each for each in hops if _HOP.fullmatch(each) and not holds_token(each)]
    return ", ".join([*kept[-_MAX_HOPS:], f"1.1 {pseudonym}"])
