"""The database and the key providers that the settings name."""

from collections.abc import Callable

from app.repository.base import Database
from app.repository.connect import connect
from app.repository.postgresql.options import ServerOptions
from backends.keyring.keyring import Keyring
from config.settings import Settings


def connect_database(settings: Settings) -> Database:
    """Connect to the database that the settings name.

    Raises:
        DatabaseMisconfigured: Its address cannot be used; names the setting.
    """
    # While the server hangs, each connection can hold a thread: the others go on to serve.
    half_of_threads = max(1, settings.threads // 2)
    options = ServerOptions(
        connections=min(settings.database_connections, half_of_threads),
        workers=settings.workers,
        pooler=settings.database_pooler,
        migration_url=settings.migration_database_url,
        files=settings.files,
    )
    return connect(settings.database_url, options)


def database_exists(settings: Settings) -> bool:
    """Return True if there is a database, in whatever state.

    Raises:
        DatabaseMisconfigured: Its address cannot be used; names the setting.
    """
    return connect_database(settings).exists()


def make_keyring(settings: Settings, create: Callable[..., Keyring]) -> Keyring:
    """Make the keyring that the settings describe, by one of the constructors of keyrings."""
    return create(
        settings.keys,
        settings.escrow_keys,
        concurrency=settings.provider_concurrency,
        files=settings.files,
    )
