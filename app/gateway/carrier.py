"""Carries one admitted request to its upstream, and the answer back, piece by piece.

Nothing is buffered: each side is read only when the other has taken what came before. Nothing is
sent twice and no redirect is followed, as both would send the credential where nobody asked for.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote_plus

import aiohttp
from aiohttp import web
from yarl import URL

from app.domain.gateways.urls import ConfigUrls
from app.gateway.admission import AdmissionClient, Admitted, Asked
from app.gateway.answers import Answer
from app.gateway.guard import AddressRefused
from app.gateway.messages.headers import headers_out, is_looped, is_sendable
from app.gateway.messages.incoming import Incoming, ambiguous, read_request
from app.gateway.messages.refusals import Refusal
from app.gateway.pools import Declined, Pool, Pools
from app.gateway.sockets import carry_socket
from app.gateway.traffic import Traffic
from app.gateway.uploads import Upload
from app.gateway.uses import OpenUse, OpenUses


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request.

    Attributes:
        max_body: Of its body, in bytes.
        idle_seconds: The time after which a silent side is given up.
    """

    max_body: int = 100 << 20
    idle_seconds: float = 600.0


class Carrier:
    """Carries requests.

    Args:
        admissions: Decides on each request.
        uses: Those under way.
        pools: The connections to upstreams.
        urls: Of the configs.
        pseudonym: The gateway's name in ``Via``; one name for all its processes.
        traffic: Is shown how each request ends.
    """

    def __init__(
        self,
        admissions: AdmissionClient,
        uses: OpenUses,
        pools: Pools,
        urls: ConfigUrls,
        limits: Limits,
        pseudonym: str,
        traffic: Traffic,
    ) -> None:
        self._admissions = admissions
        self._uses = uses
        self._pools = pools
        self._urls = urls
        self._limits = limits
        self._pseudonym = pseudonym
        self._traffic = traffic

    async def carry(self, request: web.BaseRequest) -> web.StreamResponse:
        """Carry one request. Returns the response, which may be sent already.

        Raises:
            Refusal: It is not carried, and nothing of an answer was sent.
        """
        try:
            response = await self._carry(request)
        except asyncio.CancelledError:
            self._traffic.failed("client_gone")
            raise
        except Exception as error:
            if _is_begun(request):
                self._traffic.failed("broken_off")
            else:
                code = error.code if isinstance(error, Refusal) else "internal_error"
                self._traffic.refused(code)
            raise
        self._traffic.answered(response.status)
        return response

    async def _carry(self, request: web.BaseRequest) -> web.StreamResponse:
        self._uses.require_room()
        incoming = read_request(request, self._urls)
        if is_looped(incoming.headers, self._pseudonym):
            raise Refusal.of("loop")
        upload = Upload(
            request, limit=self._limits.max_body, idle_seconds=self._limits.idle_seconds
        )
        admitted = await self._admit(incoming)
        with self._uses.opened(admitted) as use:
            try:
                async with self._pools.use(admitted) as pool:
                    return await self._exchange(request, incoming, upload, use, pool)
            except asyncio.CancelledError:
                if use.ended is not None and not _is_begun(request):
                    use.resume()
                    raise _ended(use.ended) from None
                raise
            finally:
                use.bytes_in = upload.taken

    async def _admit(self, incoming: Incoming) -> Admitted:
        asked = Asked(
            token=incoming.token,
            config=incoming.config,
            method=incoming.method,
            path=incoming.target.path,
            query=incoming.target.query_names,
            address=incoming.address,
            upgrade=incoming.is_upgrade,
        )
        began, outcome = time.monotonic(), "failed"
        try:
            admitted = await self._admissions.admit(asked)
            outcome = "admitted"
        except Refusal as refusal:
            if refusal.code != "admission_unavailable":
                outcome = "refused"
            raise
        finally:
            self._traffic.asked(time.monotonic() - began, outcome)
        return admitted

    async def _exchange(
        self,
        request: web.BaseRequest,
        incoming: Incoming,
        upload: Upload,
        use: OpenUse,
        pool: Pool,
    ) -> web.StreamResponse:
        admitted = use.admitted
        url = _url(admitted, incoming)
        headers = headers_out(
            incoming.headers,
            _credentials(admitted),
            pseudonym=self._pseudonym,
            is_scrubbed=admitted.scrub,
        )
        if upload.length is not None and not incoming.is_upgrade:
            headers["Content-Length"] = str(upload.length)
        idle_seconds = self._limits.idle_seconds
        try:
            try:
                if incoming.is_upgrade:
                    return await carry_socket(
                        request, url, headers, use, pool, idle_seconds=idle_seconds
                    )
                upstream = await pool.session.request(
                    incoming.method, url, headers=headers, data=_body(upload), allow_redirects=False
                )
            except Declined as declined:
                upstream = declined.response
            async with upstream:
                use.status = upstream.status
                return await Answer(upstream, use, self._urls, idle_seconds).send(request, pool)
        except (aiohttp.ClientError, TimeoutError, Refusal) as error:
            if upload.failure is not None and not _is_begun(request):
                raise upload.failure from None
            if isinstance(error, Refusal) or _is_begun(request):
                raise
            raise refusal_of(error) from None


def refusal_of(error: BaseException) -> Refusal:
    """Return the refusal for what became of a connection to an upstream; it names no address."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Refusal.of("upstream_untrusted")
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, AddressRefused
    ):
        return Refusal.of("address_refused")
    if isinstance(error, TimeoutError):
        return Refusal.of("upstream_timed_out")
    return Refusal.of("upstream_unreachable")


def _is_begun(request: web.BaseRequest) -> bool:
    """Return True if the client has some of an answer."""
    return request.writer.output_size > 0


def _ended(code: str) -> Refusal:
    message = "The gateway token was ended while the request was under way."
    return Refusal(HTTPStatus.FORBIDDEN, code, message)


def _body(upload: Upload) -> AsyncIterator[bytes] | None:
    return upload.pieces() if upload.is_present else None


def _url(admitted: Admitted, incoming: Incoming) -> URL:
    target = incoming.target
    if (admitted.strict or admitted.origin.base) and not target.is_strict:
        raise ambiguous("The path must have no empty segments and no escaped separators here.")
    url = f"{admitted.origin.url}{target.path}"
    if target.query is not None:
        query = "&".join(_kept(target.query, admitted.drop_query))
        url = f"{url}?{query}"
    return URL(url, encoded=True)


def _kept(query: str, dropped: frozenset[str]) -> list[str]:
    if not dropped:
        return [query]
    return [
        each
        for each in query.split("&")
        if unquote_plus(each.partition("=")[0]).lower() not in dropped
    ]


def _credentials(admitted: Admitted) -> list[tuple[str, str]]:
    revealed = [(name, value.reveal()) for name, value in admitted.headers]
    if not all(is_sendable(value) for _, value in revealed):
        raise Refusal.of("credential_not_sendable")
    return revealed
