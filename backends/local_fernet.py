"""Data keys wrapped under a key file: ``local-fernet:PATH``.

The file holds one Fernet key a line; the first wraps, all unwrap. Fernet has no associated data, so
every data key gets a Fernet key of its own, derived from the file's key and the context. A wrapping
is the token's bytes, not its base64 text, of which several spellings would open.
"""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyProviderConfigError, UnknownKey
from backends.private_file import read_private_file
from backends.provider import KeyProvider, ProviderStatus, WrappedKey
from backends.spec import ProviderSpec

_WRAP_LABEL = b"strongroom/v1/local-fernet/wrap"
_FINGERPRINT_LABEL = b"strongroom/v1/local-fernet/fingerprint"
_FINGERPRINT_BYTES = 16
_KEY_LINE = re.compile(rb"[A-Za-z0-9_-]{43}=")


class LocalFernet(KeyProvider):
    """Wraps under the first of several master keys that this process holds.

    Args:
        master_keys: Fernet keys of 32 bytes, decoded; at least one.
    """

    scheme: ClassVar[str] = "local-fernet"
    remote: ClassVar[bool] = False

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._masters = {_key_ref(master): master for master in master_keys}
        self._current = _key_ref(master_keys[0])

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap under the first key of the file."""
        token = self._fernet(self._current, context).encrypt(bytes(key))
        return WrappedKey(self.scheme, self._current, base64.urlsafe_b64decode(token))

    def status(self) -> ProviderStatus:
        """Always healthy: the keys are in memory."""
        return ProviderStatus(healthy=True, key_ref=self._current)

    def owns(self, key_ref: str) -> bool:
        """Whether the file holds the key with this fingerprint."""
        return key_ref in self._masters

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open with the key that the wrapping names."""
        if not self.owns(wrapped.key_ref):
            raise UnknownKey("The key file does not hold the key of this wrapping.")
        token = base64.urlsafe_b64encode(wrapped.blob)
        try:
            return DataKey(self._fernet(wrapped.key_ref, context).decrypt(token))
        except InvalidToken:
            raise DecryptionError from None

    def _fernet(self, key_ref: str, context: KeyContext) -> Fernet:
        derived = _derive(self._masters[key_ref], _WRAP_LABEL + context.to_bytes(), 32)
        return Fernet(base64.urlsafe_b64encode(derived))


def from_spec(spec: ProviderSpec) -> LocalFernet:
    """The provider whose keys the file at the URI's path holds.

    Raises:
        KeyProviderConfigError: The file is missing, unsafe or not a key file; names the setting.
    """
    if spec.options:
        raise KeyProviderConfigError(f"{spec.setting}: local-fernet takes no options.")
    master_keys = _master_keys(read_private_file(Path(spec.location), spec.setting))
    if not master_keys:
        raise KeyProviderConfigError(
            f"{spec.setting}: the key file must hold one Fernet key a line."
        )
    return LocalFernet(master_keys)


def new_key_file() -> bytes:
    """What a key file with one new key holds."""
    return Fernet.generate_key() + b"\n"


def _master_keys(content: bytes) -> list[bytes]:
    """The keys of a file; none at all where a line holds something else."""
    lines = content.split()
    if not all(_KEY_LINE.fullmatch(line) for line in lines):
        return []
    return [base64.urlsafe_b64decode(line) for line in lines]


def _key_ref(master: bytes) -> str:
    fingerprint = _derive(master, _FINGERPRINT_LABEL, _FINGERPRINT_BYTES)
    return f"local-fernet:{fingerprint.hex()}"


def _derive(master: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=info).derive(master)
