"""Asks the API for admissions, over its Unix socket.

One answer holds the credential. It goes into types that do not print it, and is dropped when the
request ends; nothing is cached, so a revoked token is refused at its next request.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, NamedTuple, Self

import aiohttp

from app.domain.gateways.origins import Endpoint
from app.domain.redaction import Redacted
from app.gateway.messages.refusals import Refusal

_BASE = "http://api/internal/v1/admissions"
_SECONDS = 10.0
_KEEP_SECONDS = 30.0  # the API closes an idle connection after 75
_MAX_ANSWER_BYTES = 1 << 20
_MAX_RETRY_AFTER = 3600
_PASSED_ON = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
_CODE = re.compile("[a-z_]{1,64}")
_ABOUT_US = frozenset({"gateway_key_refused", "not_found", "unauthenticated", "invalid_request"})
"""Codes that say what is wrong between the API and this process; an agent can do nothing."""

_LOG = logging.getLogger("strongroom.gateway")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that a client wants carried.

    Attributes:
        config: The id of the config that the URL names.
        query: The names of its query parameters.
        address: The client's, if it is known.
    """

    token: Redacted
    config: str
    method: str
    path: str
    query: tuple[str, ...]
    address: str | None
    upgrade: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """The upstream: nothing of it comes from the client."""

    scheme: str
    host: str
    port: int
    base: str

    @property
    def url(self) -> str:
        """The URL without a slash at its end."""
        return f"{self.authority}{self.base}"

    @property
    def authority(self) -> str:
        """Scheme, host, and port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == {"http": 80, "https": 443}.get(self.scheme)
        return f"{self.scheme}://{host}" + ("" if is_default else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The decision that a request may be carried, and all that is needed for it.

    Attributes:
        use: The id of its row.
        headers: The credential and the config's own headers.
        drop_query: The names of query parameters that are not sent on.
        needles: The values that the answer must not show.
        scrub: The answer is searched for them.
        in_flight: The number of requests of the token that may be under way in one process.
        strict: Rules were judged, so only a strict path may be sent.
        private: The operator's networks may be reached.
        own: Servers of the API's, which may not be reached.
    """

    use: str
    token_id: str
    config_id: str
    origin: Origin
    headers: tuple[tuple[str, Redacted], ...] = field(repr=False)
    drop_query: frozenset[str]
    needles: tuple[Redacted, ...] = field(repr=False)
    scrub: bool
    in_flight: int
    strict: bool
    private: bool
    own: frozenset[Endpoint]


@dataclass(frozen=True, slots=True)
class End:
    """The end of one use."""

    use: str
    status: int
    bytes_in: int
    bytes_out: int
    milliseconds: int
    scrub_hits: int


class _Answer(NamedTuple):
    status: int
    body: Any
    retry_after: str | None


class AdmissionClient:
    """Asks over one Unix socket.

    Args:
        path: Of the socket.
        key: The gateway's.
    """

    def __init__(self, path: str, key: Redacted) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path, limit=0, keepalive_timeout=_KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {key.reveal()}"},
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def admit(self, asked: Asked) -> Admitted:
        """Ask for one request.

        Raises:
            Refusal: It is not admitted, or the API does not answer.
        """
        body = {
            "token": asked.token.reveal(),
            "config": asked.config,
            "method": asked.method,
            "path": asked.path,
            "query": list(asked.query),
            "address": asked.address,
            "upgrade": asked.upgrade,
        }
        answer = await self._post("", body)
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        try:
            return _admitted(answer.body)
        except (KeyError, TypeError, ValueError):
            raise _unavailable("admission_malformed") from None

    async def ended(self, uses: Iterable[str]) -> Mapping[str, str]:
        """Return which of the uses may not go on, each with the code that says why.

        Raises:
            Refusal: The API does not answer.
        """
        answer = await self._post("/recheck", {"uses": list(uses)})
        try:
            if answer.status == HTTPStatus.OK:
                return {str(each["use"]): str(each["code"]) for each in answer.body["ended"]}
        except (KeyError, TypeError):
            pass
        raise _unavailable("recheck_failed", answer.status)

    async def report(self, ends: Iterable[End]) -> None:
        """Report the ends of uses.

        Raises:
            Refusal: The API does not take them.
        """
        rows = [
            {
                "use": each.use,
                "status": each.status,
                "bytes_in": each.bytes_in,
                "bytes_out": each.bytes_out,
                "milliseconds": each.milliseconds,
                "scrub_hits": each.scrub_hits,
            }
            for each in ends
        ]
        answer = await self._post("/ends", {"ends": rows})
        if answer.status != HTTPStatus.OK:
            raise _unavailable("ends_not_reported", answer.status)

    async def _post(self, path: str, body: Mapping[str, object]) -> _Answer:
        """Send a request; once more if the API closed the kept connection meanwhile."""
        try:
            try:
                return await self._post_once(path, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                return await self._post_once(path, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(type(error).__name__) from None

    async def _post_once(self, path: str, body: Mapping[str, object]) -> _Answer:
        async with self._session.post(
            f"{_BASE}{path}", json=body, allow_redirects=False
        ) as response:
            raw = bytearray()
            async for piece in response.content.iter_any():
                raw += piece
                if len(raw) > _MAX_ANSWER_BYTES:
                    raise ValueError
            return _Answer(response.status, json.loads(raw), response.headers.get("Retry-After"))


def _unavailable(reason: str, status: int | None = None) -> Refusal:
    _LOG.error("admission_unavailable", extra={"detail": reason, "status": status})
    return Refusal.of("admission_unavailable")


def _refusal(answer: _Answer) -> Refusal:
    body = answer.body if isinstance(answer.body, dict) else {}
    code = str(body.get("code"))
    if not _CODE.fullmatch(code):
        return _unavailable("admission_malformed", answer.status)
    if answer.status not in _PASSED_ON or code in _ABOUT_US:
        return _unavailable(code, answer.status)
    waits = answer.retry_after is not None and answer.retry_after.isdecimal()
    return Refusal(
        answer.status,
        code,
        str(body.get("message", "")),
        retry_after=min(int(answer.retry_after or 0), _MAX_RETRY_AFTER) if waits else None,
        request_id=str(body.get("request_id") or "") or None,
    )


def _admitted(answer: Mapping[str, Any]) -> Admitted:
    origin = answer["origin"]
    if origin["scheme"] not in {"http", "https"}:
        raise ValueError
    return Admitted(
        use=str(answer["use"]),
        token_id=str(answer["token"]),
        config_id=str(answer["config"]),
        origin=Origin(
            str(origin["scheme"]), str(origin["host"]), int(origin["port"]), str(origin["base"])
        ),
        headers=tuple((str(name), Redacted(str(value))) for name, value in answer["set"]),
        drop_query=frozenset(map(str, answer["drop_query"])),
        needles=tuple(Redacted(str(each)) for each in answer["needles"]),
        scrub=bool(answer["scrub"]),
        in_flight=int(answer["in_flight"]),
        strict=bool(answer["strict"]),
        private=bool(answer["private"]),
        own=frozenset(_endpoint(*each) for each in answer["own"]),
    )


def _endpoint(host: str | None, port: int) -> Endpoint:
    return Endpoint(None if host is None else ip_address(host), int(port))
