"""The entry of the gateway: ``gunicorn -c config/gateway.py app.gateway.main:make_application``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.domain.redaction import Redacted
from app.gateway.listener import Listener
from app.gateway.process import running_gateway
from app.own_servers import OwnServers
from config import SettingsError, in_force
from config.files import UnsafeFile

_KEY_FILE = "STRONGROOM_GATEWAY_KEY_FILE"


@asynccontextmanager
async def make_application() -> AsyncIterator[Listener]:
    """Yield the server of one process, from the settings in force.

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
    async with running_gateway(settings, Redacted(key), OwnServers(settings)()) as listener:
        yield listener
