"""Data keys opened in batches, before a sweep needs them one after the other."""

from collections.abc import Sequence

from app.crypto.data_key_cache import DataKeyCache
from backends.data_key import DataKey
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey, Opened


class Prefetch:
    """Fills the cache of data keys; one that it lets go of too early is opened again by itself."""

    def __init__(self, keyring: Keyring, cache: DataKeyCache) -> None:
        self._keyring = keyring
        self._cache = cache

    def open(self, keys: Sequence[ClosedKey]) -> list[KeyProviderError | None]:
        """Open data keys; for each, in order, why it does not open, or ``None``."""
        opened = self._keyring.unwrap_many(keys)
        return [self._keep(each, key) for each, key in zip(opened, keys, strict=True)]

    def _keep(self, opened: Opened, key: ClosedKey) -> KeyProviderError | None:
        if not isinstance(opened, DataKey):
            return opened
        self._cache.put(key.context, opened)
        opened.wipe()
        return None
