"""One process of the gateway: its parts, from the settings, and its tasks."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256

from app.domain.gateways.origins import Endpoint
from app.domain.gateways.urls import ConfigUrls
from app.domain.redaction import Redacted
from app.gateway.admission import AdmissionClient
from app.gateway.carrier import Carrier, Limits
from app.gateway.guard import Guard
from app.gateway.listener import Listener
from app.gateway.messages.refusals import Refusal
from app.gateway.pools import Pools, lower_tls_buffers, tls_context
from app.gateway.traffic import Traffic
from app.gateway.uses import OpenUses, Pace
from config import Settings, SettingsError
from config.files import UnsafeFile

_CA_FILE = "STRONGROOM_GATEWAY_CA_FILE"
_TRIM_SECONDS = 5.0
_RESOLVERS = 64
"""Threads for names of upstreams, so that slow name servers of one do not stop the others."""


@asynccontextmanager
async def running_gateway(
    settings: Settings,
    key: Redacted,
    own: Collection[Endpoint] = (),
    pace: Pace = Pace(),  # noqa: B008 - it cannot change
    traffic: Traffic | None = None,
) -> AsyncIterator[Listener]:
    """Yield the server of a gateway; at the end, report the uses and close all connections.

    Args:
        settings: Its URL must be set.
        key: The gateway's.
        own: The servers of this deployment, which no request may reach.
        pace: Of the questions and reports about the uses under way.
        traffic: Is shown what happens; nothing counts it if ``None``.

    Raises:
        SettingsError: The file of authorities cannot be used.
    """
    traffic = traffic or Traffic()
    lower_tls_buffers()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_RESOLVERS, "resolver"))
    guard = Guard(settings.gateway_networks, own)
    tls = _tls(settings)
    limits = Limits(settings.gateway_max_body, float(settings.gateway_idle))
    async with AsyncExitStack() as parts:
        admissions = await parts.enter_async_context(AdmissionClient(settings.gateway_socket, key))
        pools = await parts.enter_async_context(Pools(guard, tls, limits.idle_seconds))
        uses = OpenUses(admissions, pace, traffic)
        urls = ConfigUrls(settings.gateway_url or "")
        carrier = Carrier(admissions, uses, pools, urls, limits, _pseudonym(key), traffic)
        tasks = [
            asyncio.create_task(each)
            for each in (uses.recheck_for_ever(), uses.report_for_ever(), _trim_for_ever(pools))
        ]
        try:
            yield Listener(carrier.carry, traffic)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(Refusal):
                await uses.report()


def _tls(settings: Settings) -> ssl.SSLContext:
    path = settings.gateway_ca_file
    try:
        return tls_context(None if path is None else settings.files.read_bundle(path))
    except UnsafeFile as fault:
        raise SettingsError([f"{_CA_FILE}: the file {fault}."]) from None
    except ValueError:
        raise SettingsError([f"{_CA_FILE}: the file holds no certificates in PEM."]) from None


def _pseudonym(key: Redacted) -> str:
    """Return the gateway's name in ``Via``: all its processes have one, and others another."""
    return f"strongroom-{sha256(b'via ' + key.reveal().encode()).hexdigest()[:16]}"


async def _trim_for_ever(pools: Pools) -> None:
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        await pools.trim()
