"""WebSockets: two connections with a handshake each, and whole messages between them.

The client gets its 101 only after the upstream has given one. Extensions are offered to neither
side, so every frame can be read: text without the credential towards the client, and no gateway
token towards the upstream.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
from aiohttp import ClientWSTimeout, WSCloseCode, WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

from app.gateway.messages.refusals import Refusal
from app.gateway.messages.scrub import Search
from app.gateway.pools import Pool
from app.gateway.uploads import hide_tokens
from app.gateway.uses import OpenUse

MAX_MESSAGE_BYTES = 16 << 20

_LONG_BYTES = 256 * 1024  # a longer message is searched in a thread, so that others go on
_CLOSE_SECONDS = 5.0
_UNSENDABLE_CODES = frozenset({1005, 1006, 1015})  # RFC 6455, section 7.4.1
_CREDENTIAL_WORDS = ("gws_", "key", "token", "bearer", "auth")

_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
_Change = Callable[[bytes, WSMsgType], Awaitable[bytes]]
"""Changes a message of this type."""


async def carry_socket(
    request: web.BaseRequest,
    url: URL,
    headers: CIMultiDict[str],
    use: OpenUse,
    pool: Pool,
    *,
    idle_seconds: float,
) -> web.StreamResponse:
    """Connect both sides until one of them closes, or is silent for too long.

    Raises:
        Refusal: The client's handshake is not valid.
        Declined: The upstream answered with something else.
    """
    if not web.WebSocketResponse().can_prepare(request):
        raise Refusal.of("upgrade_refused")
    upstream = await pool.session.ws_connect(
        url,
        headers=headers,
        protocols=_protocols(request),
        timeout=ClientWSTimeout(ws_close=_CLOSE_SECONDS),
        max_msg_size=MAX_MESSAGE_BYTES,
    )
    use.status = 101
    chosen = (upstream.protocol,) if upstream.protocol else ()
    client = web.WebSocketResponse(
        protocols=chosen, compress=False, timeout=_CLOSE_SECONDS, max_msg_size=MAX_MESSAGE_BYTES
    )
    client.headers["Server"] = "strongroom"
    search = pool.search(use.admitted) if use.admitted.scrub else None
    try:
        await client.prepare(request)
        await _Exchange(client, upstream, use, search, idle_seconds).run()
    finally:
        await upstream.close(code=_sendable(client.close_code, WSCloseCode.GOING_AWAY))
    return client


class _Exchange:
    """The messages between two open sockets."""

    def __init__(
        self,
        client: web.WebSocketResponse,
        upstream: aiohttp.ClientWebSocketResponse,
        use: OpenUse,
        search: Search | None,
        idle_seconds: float,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._use = use
        self._search = search
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._moved_at = self._loop.time()

    async def run(self) -> None:
        """Pass messages on until a side closes; close both."""
        tasks = [
            asyncio.create_task(each)
            for each in (
                self._pass_on(self._client, self._upstream, self._outwards),
                self._pass_on(self._upstream, self._client, self._inwards),
                self._end_of_silence(),
            )
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if self._use.ended is None:
                raise
            self._use.resume()
            await self._close(self._client, WSCloseCode.POLICY_VIOLATION, self._use.ended)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(self._client, WSCloseCode.INTERNAL_ERROR)  # unless a side has closed it

    async def _pass_on(self, source: _Socket, sink: _Socket, change: _Change) -> None:
        while True:
            message = await source.receive()
            self._moved_at = self._loop.time()
            if message.type is WSMsgType.TEXT:
                clean = await change(message.data.encode(), message.type)
                await self._send(sink.send_str(clean.decode(errors="replace")))
            elif message.type is WSMsgType.BINARY:
                clean = await change(message.data, message.type)
                await self._send(sink.send_bytes(clean))
            elif message.type is WSMsgType.CLOSE:
                await self._close(sink, message.data, str(message.extra or ""))
                return
            else:
                await self._close(sink, WSCloseCode.INTERNAL_ERROR)
                return

    async def _send(self, sending: Awaitable[None]) -> None:
        async with asyncio.timeout(self._idle_seconds):
            await sending

    async def _outwards(self, data: bytes, _kind: WSMsgType) -> bytes:
        self._use.bytes_in += len(data)
        return hide_tokens(data)

    async def _inwards(self, data: bytes, kind: WSMsgType) -> bytes:
        if self._search is not None:
            scrub = partial(self._search.scrub_message, data, is_text=kind is WSMsgType.TEXT)
            data, hits = await asyncio.to_thread(scrub) if len(data) > _LONG_BYTES else scrub()
            self._use.scrub_hits += hits
        self._use.bytes_out += len(data)
        return data

    async def _end_of_silence(self) -> None:
        while (silent := self._loop.time() - self._moved_at) < self._idle_seconds:
            await asyncio.sleep(self._idle_seconds - silent)

    async def _close(self, side: _Socket, code: int, reason: str = "") -> None:
        if not side.closed:
            sent = _sendable(code, WSCloseCode.OK)
            if self._search is not None:
                reason, _ = self._search.scrub(reason)
            await side.close(code=sent, message=reason.encode()[:120])


def _sendable(code: int | None, otherwise: int) -> int:
    return otherwise if code is None or code in _UNSENDABLE_CODES else code


def _protocols(request: web.BaseRequest) -> tuple[str, ...]:
    """Return the subprotocols that the client offers, but those that carry credentials."""
    offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", [])).split(",")
    named = (each.strip() for each in offered)
    return tuple(
        each
        for each in named
        if each and not any(word in each.lower() for word in _CREDENTIAL_WORDS)
    )
