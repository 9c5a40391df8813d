"""An upstream's answer on its way to the client."""

import asyncio
import re
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict

from app.domain.gateways.urls import ConfigUrls
from app.gateway.messages.headers import headers_in, raw_headers
from app.gateway.messages.refusals import Refusal
from app.gateway.messages.scrub import ECHO_BYTES, Scrubber, Search, is_text
from app.gateway.pools import Pool
from app.gateway.uses import OpenUse

_LINKED = ("Location", "Content-Location")
_LINK = re.compile("<([^<>]*)>")
_CLIENT_ERRORS = range(400, 500)


class Answer:
    """One answer.

    Args:
        upstream: The answer, whose body was not read.
        use: Counts it.
        urls: Of the configs, for links to the same origin.
        idle_seconds: The time in which a client must take a piece.
    """

    def __init__(
        self,
        upstream: aiohttp.ClientResponse,
        use: OpenUse,
        urls: ConfigUrls,
        idle_seconds: float,
    ) -> None:
        self._upstream = upstream
        self._use = use
        self._urls = urls
        self._idle_seconds = idle_seconds
        self._type = upstream.headers.get(hdrs.CONTENT_TYPE, "")

    async def send(self, request: web.BaseRequest, pool: Pool) -> web.StreamResponse:
        """Send it, with what the client may not see taken out.

        Raises:
            Refusal: It is compressed, or no answer to what was asked; nothing was sent.
        """
        has_body = request.method != hdrs.METH_HEAD and self._upstream.status not in {
            HTTPStatus.NO_CONTENT,
            HTTPStatus.NOT_MODIFIED,
        }
        if self._upstream.status < HTTPStatus.OK:  # 101 to a request for no upgrade
            raise Refusal.of("upstream_unreachable")
        search = pool.search(self._use.admitted) if self._use.admitted.scrub else None
        if search is not None and has_body and self._is_encoded():
            raise Refusal.of("encoded_answer")
        response = web.StreamResponse(
            status=self._upstream.status, headers=self._headers(search, has_body=has_body)
        )
        async with asyncio.timeout(self._idle_seconds):
            await response.prepare(request)
        if has_body:
            await self._send_body(response, search)
        await response.write_eof()
        return response

    def _is_encoded(self) -> bool:
        return self._upstream.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity"

    def _headers(self, search: Search | None, *, has_body: bool) -> CIMultiDict[str]:
        headers = headers_in(raw_headers(self._upstream.raw_headers))
        for name in _LINKED:
            if name in headers:
                headers[name] = self._link(headers[name])
        if hdrs.LINK in headers:
            links = [
                _LINK.sub(lambda link: f"<{self._link(link[1])}>", each)
                for each in headers.getall(hdrs.LINK)
            ]
            del headers[hdrs.LINK]
            headers.extend((hdrs.LINK, each) for each in links)
        if search is None:
            return headers
        if has_body and is_text(self._type):
            headers.popall(hdrs.CONTENT_LENGTH, None)  # it changes where a value is masked
        return self._scrubbed(headers, search)

    def _scrubbed(self, headers: CIMultiDict[str], search: Search) -> CIMultiDict[str]:
        _, hits = search.scrub("\n".join(headers.values()))
        if not hits:
            return headers
        clean: CIMultiDict[str] = CIMultiDict()
        for name, value in headers.items():
            shown, found = search.scrub(value)
            self._use.scrub_hits += found
            clean.add(name, shown)
        return clean

    def _link(self, url: str) -> str:
        """Return a link to the same origin as one through the gateway, and others as they are."""
        origin, config = self._use.admitted.origin, self._use.admitted.config_id
        if url.startswith("/") and not url.startswith("//"):
            path = _below(url, origin.base)
            return url if path is None else f"{self._urls.prefix(config)}{path}"
        path = _below(url, origin.url)
        return url if path is None else f"{self._urls.url(config)}{path}"

    async def _send_body(self, response: web.StreamResponse, search: Search | None) -> None:
        if search is None:
            while piece := await self._upstream.content.readany():
                await self._write(response, piece)
            return
        scrubber = search.scrubber(self._type)
        try:
            if self._upstream.status in _CLIENT_ERRORS and is_text(self._type):
                await self._send_error(response, scrubber, search)
            else:
                await self._send_scrubbed(response, scrubber)
        finally:
            self._use.scrub_hits += scrubber.hits

    async def _send_scrubbed(self, response: web.StreamResponse, scrubber: Scrubber) -> None:
        while True:
            try:
                async with asyncio.timeout(scrubber.patience()):
                    piece = await self._upstream.content.readany()
            except aiohttp.ServerTimeoutError:
                raise
            except TimeoutError:
                await self._write(response, scrubber.release())
                continue
            if not piece:
                break
            await self._write(response, scrubber.feed(piece))
        await self._write(response, scrubber.finish())

    async def _send_error(
        self, response: web.StreamResponse, scrubber: Scrubber, search: Search
    ) -> None:
        """Send a refusal of the upstream, which may name the ends of a credential."""
        body = bytearray()
        is_whole = False
        while len(body) < ECHO_BYTES and not is_whole:
            piece = await self._upstream.content.readany()
            is_whole = not piece
            body += scrubber.feed(piece) if piece else scrubber.finish()
        await self._write(response, search.blot_echoes(bytes(body)))
        if not is_whole:
            await self._send_scrubbed(response, scrubber)

    async def _write(self, response: web.StreamResponse, piece: bytes) -> None:
        if piece:
            async with asyncio.timeout(self._idle_seconds):
                await response.write(piece)
            self._use.bytes_out += len(piece)


def _below(url: str, base: str) -> str | None:
    """Return what follows a base in a URL; ``None`` if the URL is not below it."""
    rest = url.removeprefix(base)
    if (base and rest == url) or not (rest == "" or rest[0] in "/?#"):
        return None
    return rest
