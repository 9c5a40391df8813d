"""Connections to upstreams: one pool for each gateway token, never shared.

The client library finds a kept connection by host and port. Two tokens with one pool would send
their requests over one connection, where a request that one agent desynchronised answers the
other's. A pool closes its idle connections after 15 s, and goes when it was not used for longer.

asyncio reads 256 KiB at a time from a TLS connection and allocates that buffer for the life of the
connection. A TLS record holds 16 KiB, so more buys nothing for a stream of events, and a thousand
idle streams would take 300 MB.
"""

import asyncio
import asyncio.sslproto
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Self

import aiohttp
from aiohttp import hdrs

from app.gateway.admission import Admitted
from app.gateway.guard import Guard
from app.gateway.messages.scrub import Search, search_for

MAX_IDLE_POOLS = 256

_CONNECT_SECONDS = 10.0
_RESOLVE_AND_CONNECT_SECONDS = 20.0
_KEEP_SECONDS = 15.0
_TLS_BUFFER_BYTES = 16 * 1024
_READ_BYTES = 32 * 1024
_MAX_LINE_BYTES = 16 * 1024
_AUTOMATIC = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class Declined(Exception):
    """An upstream answered a request for a WebSocket with something else.

    Attributes:
        response: The answer, whose body was not read.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__("the upstream declined")
        self.response = response


def lower_tls_buffers() -> None:
    """Make asyncio allocate 16 KiB for each TLS connection of this process from now on."""
    asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


def tls_context(bundle: bytes | None) -> ssl.SSLContext:
    """Make the one TLS context: the system's authorities, and those of a bundle in PEM.

    Raises:
        ValueError: The bundle holds no certificates.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if bundle is not None:
        try:
            context.load_verify_locations(cadata=bundle.decode("ascii", errors="replace"))
        except ssl.SSLError:
            raise ValueError("the bundle holds no certificates") from None
    return context


async def _decline(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Stop a handshake that was answered with anything but 101: ``ws_connect`` follows redirects.

    Raises:
        Declined: It was.
    """
    response = await handler(request)
    if (
        hdrs.SEC_WEBSOCKET_KEY in request.headers
        and response.status != HTTPStatus.SWITCHING_PROTOCOLS
    ):
        raise Declined(response)
    return response


class Pool:
    """The connections of one token, and the search for the values that its answers must not show.

    Attributes:
        users: The number of requests under way.
        used_at: When a request ended last, on the loop's clock.
    """

    def __init__(
        self, guard: Guard, tls: ssl.SSLContext, idle_seconds: float, admitted: Admitted
    ) -> None:
        dial = partial(
            guard.socket,
            private=admitted.private,
            clear=admitted.origin.scheme != "https",
            own=admitted.own,
        )
        self.users = 0
        self.used_at = 0.0
        self._search: Search | None = None
        connector = aiohttp.TCPConnector(
            ssl=tls,
            limit=0,
            keepalive_timeout=_KEEP_SECONDS,
            socket_factory=dial,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTOMATIC,
            middlewares=(_decline,),
            read_bufsize=_READ_BYTES,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=_RESOLVE_AND_CONNECT_SECONDS,
                sock_connect=_CONNECT_SECONDS,
                sock_read=idle_seconds,
            ),
        )
        # It would send a request again whose first copy the upstream may have got.
        self.session._retry_connection = False  # noqa: SLF001 - there is no public way

    def search(self, admitted: Admitted) -> Search:
        """Return the search for what this admission names; it takes milliseconds to build."""
        if self._search is None or self._search.needles != admitted.needles:
            self._search = search_for(admitted.needles)
        return self._search

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()


class Pools:
    """The pools of this process.

    Args:
        guard: Decides on every address.
        tls: Verifies upstreams.
        idle_seconds: The time after which a silent upstream is given up.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext, idle_seconds: float) -> None:
        self._guard = guard
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._pools: OrderedDict[tuple[object, ...], Pool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pools)

    @asynccontextmanager
    async def use(self, admitted: Admitted) -> AsyncIterator[Pool]:
        """Yield the pool of the token."""
        key = (admitted.token_id, admitted.private, admitted.origin.scheme, admitted.own)
        pool = self._pools.get(key)
        if pool is None:
            pool = Pool(self._guard, self._tls, self._idle_seconds, admitted)
            self._pools[key] = pool
        self._pools.move_to_end(key)
        pool.users += 1
        try:
            yield pool
        finally:
            pool.users -= 1
            pool.used_at = asyncio.get_running_loop().time()

    async def trim(self) -> None:
        """Close the pools that were not used for a while, and the oldest of too many."""
        now = asyncio.get_running_loop().time()
        idle = [key for key, pool in self._pools.items() if not pool.users]
        surplus = max(0, len(idle) - MAX_IDLE_POOLS)
        for number, key in enumerate(idle):
            if number < surplus or self._pools[key].used_at < now - _KEEP_SECONDS:
                await self._pools.pop(key).close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.close()
