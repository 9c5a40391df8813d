"""Data keys wrapped for escrow under a recovery public key: ``recovery:PATH``.

The server holds only the public half, so it cannot open what it wrapped here; the private half
stays offline until everything else is lost.
"""

from pathlib import Path

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderConfigError
from backends.private_file import read_file
from backends.provider import KeyWrapper, ProviderStatus, WrappedKey
from backends.provider_uri import ProviderSpec
from backends.recovery.files import MalformedKeyFile, read_public_key
from backends.recovery.keys import SCHEME, NoHybridKem, RecoveryPublicKey


class Recovery(KeyWrapper):
    """Wraps under a public key that is in memory, so it does not fail."""

    scheme = SCHEME
    remote = False

    def __init__(self, public_key: RecoveryPublicKey) -> None:
        self._public_key = public_key

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap for the holder of the private key."""
        return self._public_key.wrap(key, context)

    def status(self) -> ProviderStatus:
        """Always healthy: the public key is in memory."""
        return ProviderStatus(healthy=True, key_ref=self._public_key.key_ref)


def from_spec(spec: ProviderSpec) -> Recovery:
    """The wrapper whose public key the file at the URI's path holds.

    Raises:
        KeyProviderConfigError: The file is missing or not a public key file; names the setting.
    """
    if spec.options:
        raise KeyProviderConfigError(f"{spec.setting}: recovery takes no options.")
    path = Path(spec.location)
    try:
        public_key = _public_key(read_file(spec.files.read_trusted, path, spec.setting))
    except NoHybridKem as error:
        raise KeyProviderConfigError(f"{spec.setting}: {error}") from None
    if public_key is None:
        raise KeyProviderConfigError(f"{spec.setting}: the file must hold a recovery public key.")
    return Recovery(public_key)


def _public_key(content: bytes) -> RecoveryPublicKey | None:
    """``None`` for what is none: the private half perhaps, so no error may carry it."""
    try:
        return read_public_key(content)
    except MalformedKeyFile:
        return None
