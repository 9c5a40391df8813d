"""Data keys wrapped by a transit key of HashiCorp Vault or OpenBao: ``vault-transit:https://…``.

The key must be made with ``derived=true``: the context then derives the key that wraps, and
``rewrap`` takes it. (``associated_data`` would bind a context too, but ``rewrap`` refuses it.) The
least that a token must be allowed is in ``docs/keys/vault-transit.md``; a test holds it to that.
"""

import base64
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from hvac.api.secrets_engines import Transit

from backends.calls.batches import in_batches
from backends.calls.bounded_http import Response
from backends.calls.per_process import PerProcess
from backends.context import KeyContext
from backends.data_key import DATA_KEY_BYTES, DataKey
from backends.errors import (
    DecryptionError,
    KeyProviderError,
    UnknownKey,
)
from backends.provider import (
    KeyItems,
    KeyProvider,
    ProviderStatus,
    WrappedItems,
    WrappedKey,
    or_error,
)
from backends.provider_uri import ProviderSpec
from backends.vault_transit.connection import Vault
from backends.vault_transit.responses import (
    VERSION,
    ciphertext_of,
    ciphertext_version,
    plaintext_of,
)
from backends.vault_transit.settings import VaultSettings, parse_settings

LARGEST_BATCH = 200  # OpenBao refuses JSON of 250 items with a context as too complex

Inputs = list[dict[str, str]]
BatchRequest = Callable[[Inputs, Transit, Mapping[str, str]], Response]
"""Makes one request with a batch; the mapping names the key and its mount, as hvac does."""
T = TypeVar("T")


class VaultTransit(KeyProvider):
    """Wraps under the newest version of one transit key.

    Every call ends within ``connection.CALL_SECONDS``, logging in and retries included.
    """

    scheme = "vault-transit"

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._key_ref = re.compile(rf"{re.escape(settings.key_name)}:v(?P<version>{VERSION})")
        self._vault = PerProcess(lambda: Vault(settings))

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap by ``encrypt``."""
        data = self._vault.get().ask(
            lambda transit, at: transit.encrypt_data(
                plaintext=base64.b64encode(key).decode(), context=_encoded(context), **at
            )
        )
        return self._wrapped(data)

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        """Wrap ``LARGEST_BATCH`` items a call."""
        return in_batches(items, LARGEST_BATCH, self._wrap_batch, self.wrap)

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        """Make the key and its wrapping in one call, ``datakey/plaintext``."""
        response = self._vault.get().ask(
            lambda transit, at: transit.generate_data_key(
                key_type="plaintext", bits=DATA_KEY_BYTES * 8, context=_encoded(context), **at
            )
        )
        wrapped = self._wrapped(response)
        return plaintext_of(response), wrapped

    def status(self) -> ProviderStatus:
        """Read the key: one call."""
        try:
            version = self._vault.get().newest_version()
        except KeyProviderError as error:
            return ProviderStatus(healthy=False, key_ref=None, detail=self._detail(error))
        return ProviderStatus(healthy=True, key_ref=self._ref(version))

    def owns(self, key_ref: str) -> bool:
        """Return whether it names a version of this key in this Vault."""
        return bool(self._key_ref.fullmatch(key_ref))

    def root_of(self, key_ref: str) -> str:
        """This key without the version."""
        return self._settings.key_name if self.owns(key_ref) else key_ref

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open by ``decrypt``."""
        ciphertext = self._ciphertext(wrapped)
        data = self._vault.get().ask(
            lambda transit, at: transit.decrypt_data(
                ciphertext=ciphertext, context=_encoded(context), **at
            )
        )
        return plaintext_of(data)

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        """Rewrap by ``rewrap``: the data key does not leave Vault."""
        ciphertext = self._ciphertext(wrapped)
        data = self._vault.get().ask(
            lambda transit, at: transit.rewrap_data(
                ciphertext=ciphertext, context=_encoded(context), **at
            )
        )
        return self._wrapped(data)

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        """Rewrap as many a call."""
        ask = partial(self._batch, _rewrap_batch, self._wrapped)
        return in_batches(items, LARGEST_BATCH, ask, self.rewrap)

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        """Unwrap as many a call."""
        ask = partial(self._batch, _decrypt_batch, plaintext_of)
        return in_batches(items, LARGEST_BATCH, ask, self.unwrap)

    def prepare(self, seconds: float) -> bool:
        """Log in ahead."""
        return self._vault.get().prepare(seconds)

    def close(self) -> None:
        """Close this process's connections and stop renewing its token."""
        vault = self._vault.forget()
        if vault is not None:
            vault.close()

    def _detail(self, error: KeyProviderError) -> str:
        """The text of an error, with the setting in front: there may be several Vaults."""
        setting = f"{self._settings.setting}: "
        return setting + str(error).removeprefix(setting)

    def _wrap_batch(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        results = self._vault.get().ask_many(partial(_encrypt_batch, items), len(items))
        return [_read(result, self._wrapped) for result in results]

    def _batch(
        self, request: BatchRequest, read: Callable[[Mapping[str, Any]], T], items: WrappedItems
    ) -> list[T | KeyProviderError]:
        texts = [or_error(partial(self._ciphertext, wrapped)) for wrapped, _ in items]
        inputs = [
            {"ciphertext": text, "context": _encoded(context)}
            for text, (_, context) in zip(texts, items, strict=True)
            if isinstance(text, str)
        ]
        if not inputs:
            return [text for text in texts if not isinstance(text, str)]
        asking = partial(request, inputs)
        results = iter(self._vault.get().ask_many(asking, len(inputs)))
        return [_read(next(results), read) if isinstance(text, str) else text for text in texts]

    def _wrapped(self, data: Mapping[str, Any]) -> WrappedKey:
        version, blob = ciphertext_of(data)
        return WrappedKey(self.scheme, self._ref(version), blob)

    def _ref(self, version: str) -> str:
        return f"{self._settings.key_name}:v{version}"

    def _ciphertext(self, wrapped: WrappedKey) -> str:
        named = self._key_ref.fullmatch(wrapped.key_ref)
        if named is None:
            raise UnknownKey("This Vault key did not make this wrapping.")
        if ciphertext_version(wrapped.blob) != named["version"]:
            raise DecryptionError
        return wrapped.blob.decode()


def from_spec(spec: ProviderSpec) -> VaultTransit:
    """The provider of the key at the URI's address; asks no network.

    Raises:
        KeyProviderConfigError: The URI or a file that it names is wrong; names the setting.
    """
    return VaultTransit(parse_settings(spec))


def _encrypt_batch(items: KeyItems, transit: Transit, at: Mapping[str, str]) -> Response:
    # The plaintexts are put together here, in a frame that no error leaves.
    inputs = [
        {"plaintext": base64.b64encode(key).decode(), "context": _encoded(context)}
        for key, context in items
    ]
    response: Response = transit.encrypt_data(batch_input=inputs, **at)
    return response


def _rewrap_batch(inputs: Inputs, transit: Transit, at: Mapping[str, str]) -> Response:
    response: Response = transit.rewrap_data(ciphertext="", batch_input=inputs, **at)
    return response


def _decrypt_batch(inputs: Inputs, transit: Transit, at: Mapping[str, str]) -> Response:
    response: Response = transit.decrypt_data(batch_input=inputs, **at)
    return response


def _read(
    result: Mapping[str, Any] | KeyProviderError, read: Callable[[Mapping[str, Any]], T]
) -> T | KeyProviderError:
    return result if isinstance(result, KeyProviderError) else or_error(partial(read, result))


def _encoded(context: KeyContext) -> str:
    return base64.b64encode(context.to_bytes()).decode()
