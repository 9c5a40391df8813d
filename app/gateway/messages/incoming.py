"""A request as a client sent it, read so that nobody behind the gateway can read it otherwise."""

import ipaddress
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from app.domain.gateways.targets import AmbiguousPath, Target, parse_target
from app.domain.gateways.urls import ConfigUrls
from app.domain.redaction import Redacted
from app.gateway.messages.credentials import Header, find_token, refuse_token_in
from app.gateway.messages.headers import raw_headers
from app.gateway.messages.refusals import Refusal

_METHOD = re.compile("[A-Z]{1,16}")
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request.

    Attributes:
        config: The id of the config that its URL names.
        target: At the upstream.
        address: The client's, if it is known.
        is_upgrade: It asks for a WebSocket.
    """

    method: str
    config: str
    target: Target
    token: Redacted
    headers: list[Header] = field(repr=False)
    address: str | None
    is_upgrade: bool


def read_request(request: web.BaseRequest, urls: ConfigUrls) -> Incoming:
    """Check a request and take it apart.

    Raises:
        Refusal: It may mean two things, names no config, or presents no token.
    """
    if request.method in _REFUSED_METHODS or not _METHOD.fullmatch(request.method):
        raise Refusal.of("method_not_allowed")
    headers = raw_headers(request.raw_headers)
    hosts = [value for name, value in headers if name.lower() == "host"]
    if len(hosts) != 1 or any("_" in name for name, _ in headers):
        raise Refusal.of("bad_request")
    raw = request.raw_path
    refuse_token_in(raw)
    if not raw.startswith("/"):  # as in absolute form
        raise Refusal.of("bad_request")
    found = urls.find(hosts[0], raw)
    if found is None:
        raise Refusal.of("config_missing")
    return Incoming(
        method=request.method,
        config=found[0],
        target=_target(found[1]),
        token=find_token(headers),
        headers=headers,
        address=_address(request),
        is_upgrade=_is_upgrade(request),
    )


def _target(raw: str) -> Target:
    try:
        return parse_target(raw)
    except AmbiguousPath as fault:
        raise ambiguous(str(fault)) from None


def ambiguous(message: str) -> Refusal:
    """Return the refusal of a path with two readings."""
    return Refusal(HTTPStatus.BAD_REQUEST, "ambiguous_path", message)


def _is_upgrade(request: web.BaseRequest) -> bool:
    """Return True if it asks for a WebSocket.

    Raises:
        Refusal: It asks for another protocol, or has a body that could be a next request.
    """
    nominated = ",".join(request.headers.getall("Connection", [])).lower().split(",")
    if "upgrade" not in {each.strip() for each in nominated}:
        return False
    has_body = request.headers.get("Content-Length", "0") != "0" or (
        "Transfer-Encoding" in request.headers
    )
    protocol = request.headers.get("Upgrade", "").strip().lower()
    if protocol != "websocket" or request.method != "GET" or has_body:
        raise Refusal.of("upgrade_refused")
    return True


def _address(request: web.BaseRequest) -> str | None:
    """Return the address of the client; over a Unix socket the proxy in front states it."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if isinstance(peer, tuple):
        return str(peer[0])
    stated = request.headers.getall("X-Forwarded-For", [])
    last = stated[-1].rpartition(",")[2].strip() if stated else ""
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None
