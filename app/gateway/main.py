"""The entry of the gateway: ``gunicorn -c config/gateway.py app.gateway.main:make_application``."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.domain.redaction import Redacted
from app.gateway.listener import Listener, Listeners
from app.gateway.process import running_gateway
from app.gateway.traffic import Traffic
from app.observability.metrics.directory import metrics_directory
from app.own_servers import OwnServers
from config import Settings, SettingsError, in_force
from config.files import UnsafeFile
from config.listening import Address

_KEY_FILE = "STRONGROOM_GATEWAY_KEY_FILE"


@asynccontextmanager
async def make_application() -> AsyncIterator[Listeners]:
    """Yield the listeners of one process, from the settings in force.

    Raises:
        SettingsError: The gateway is off, or its key cannot be read.
    """
    settings = in_force.settings
    if settings is None or settings.gateway_url is None:
        raise SettingsError(["STRONGROOM_GATEWAY_URL: must be set to start the gateway."])
    try:
        key = settings.files.read_private(settings.gateway_key_file).decode().strip()
    except (UnsafeFile, UnicodeDecodeError):
        raise SettingsError([f"{_KEY_FILE}: the file cannot be read, or is no key."]) from None
    traffic, metrics = _counted(settings)
    own = OwnServers(settings)()
    async with running_gateway(settings, Redacted(key), own, traffic=traffic) as listener:
        yield Listeners(listener, metrics)


def _counted(settings: Settings) -> tuple[Traffic, tuple[Address, Listener] | None]:
    """Return who counts the traffic, and the listener on which that is read, if it is."""
    address = settings.gateway_metrics_bind
    if address is None:
        return Traffic(), None
    # Imported here: the library reads its directory when it is imported, and few need it.
    counted = importlib.import_module("app.gateway.metrics.counted")
    answer = importlib.import_module("app.gateway.metrics.answer")
    listener = answer.metrics_listener(metrics_directory.made(settings.home))
    return counted.CountedTraffic(), (address, listener)
