"""The body of a request on its way to the upstream.

It is never buffered: a piece is read when the upstream has taken the one before. A gateway token
in it is overwritten by asterisks, as agents put their whole environment into prompts. Its length
stays, and with it the framing.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.http import HttpVersion11

from app.gateway.messages.credentials import TOKEN, TOKEN_BYTES
from app.gateway.messages.refusals import Refusal

_MARK = b"gws_"
_BEGUN = re.compile(rb"g(?:w(?:s(?:_[0-9A-Za-z_]*)?)?)?\Z")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MAX_LENGTH_DIGITS = 15


def hide_tokens(data: bytes) -> bytes:
    """Return the bytes with every gateway token overwritten."""
    return TOKEN.sub(b"*" * TOKEN_BYTES, data) if _MARK in data else data


class Upload:
    """The body of one request.

    Attributes:
        length: That the client declares; ``None`` if it does not.
        is_present: There is a body.
        taken: The number of bytes that came so far.
        failure: The reason why it was broken off, if it was.

    Args:
        request: The client's.
        limit: The size of the largest body, in bytes.
        idle_seconds: The time in which a piece must arrive.

    Raises:
        Refusal: It is larger than the limit, or waits for what it does not get.
    """

    def __init__(self, request: web.BaseRequest, *, limit: int, idle_seconds: float) -> None:
        self._request = request
        self._limit = limit
        self._idle_seconds = idle_seconds
        declared = request.headers.get("Content-Length")
        self.length = _length(declared) if declared is not None else None
        self.is_present = bool(self.length) or "Transfer-Encoding" in request.headers
        self.taken = 0
        self.failure: Refusal | None = None
        expected = request.headers.get("Expect")
        if expected is not None and expected.lower() != "100-continue":
            raise Refusal.of("expectation_failed")
        self._is_awaited = expected is not None and request.version >= HttpVersion11
        if (self.length or 0) > limit:
            raise Refusal.of("body_too_large")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body, without gateway tokens.

        Raises:
            Refusal: It is too large, too slow, or the client broke it off.
        """
        if self._is_awaited:
            await self._request.writer.write(_CONTINUE)
            self._request.writer.output_size = 0
        pending = b""
        while piece := await self._next():
            pending = hide_tokens(pending + piece)
            begun = _BEGUN.search(pending, max(0, len(pending) - TOKEN_BYTES + 1))
            end = begun.start() if begun else len(pending)
            if end:
                yield pending[:end]
            pending = pending[end:]
        if pending:
            yield pending

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_seconds):
                piece = await self._request.content.readany()
        except TimeoutError:
            raise self._fail("request_timed_out") from None
        except web.RequestPayloadError:
            raise self._fail("bad_request") from None
        self.taken += len(piece)
        if self.taken > self._limit:
            raise self._fail("body_too_large")
        return piece

    def _fail(self, code: str) -> Refusal:
        self.failure = Refusal.of(code)
        return self.failure


def _length(declared: str) -> int:
    if not declared.isascii() or not declared.isdecimal():
        raise Refusal.of("bad_request")
    if len(declared) > _MAX_LENGTH_DIGITS:
        raise Refusal.of("body_too_large")
    return int(declared)
