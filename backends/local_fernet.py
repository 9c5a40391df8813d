"""Data keys wrapped under a key file: ``local-fernet:PATH``.

The file holds one Fernet key a line; the first wraps, all unwrap. A key that leaves the file leaves
this process with it; one that is new joins at the next start. Fernet has no associated data, so
every data key gets a Fernet key of its own, derived from the file's key and the context. A wrapping
is the token's bytes, not its base64 text, of which several spellings would open.
"""

import base64
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyProviderConfigError, UnknownKey
from backends.private_file import read_file
from backends.provider import KeyProvider, ProviderStatus, WrappedKey
from backends.provider_uri import ProviderSpec

_WRAP_LABEL = b"strongroom/v1/local-fernet/wrap"
_FINGERPRINT_LABEL = b"strongroom/v1/local-fernet/fingerprint"
_FINGERPRINT_BYTES = 16
_KEY_LINE = re.compile(rb"[A-Za-z0-9_-]{43}=")


class KeyFile:
    """A key file that is read again whenever it may have changed.

    Args:
        path: The file; a link to it will do.
        setting: Names the entry that lists the file, for messages.
        contents: Reads the file, if other users can neither read nor write it.

    Attributes:
        fault: The reason why the file could not be used the last time; empty if it could.
    """

    def __init__(self, path: Path, setting: str, contents: Callable[[Path], bytes]) -> None:
        self._path = path
        self._setting = setting
        self._contents = contents
        self._seen: tuple[int, ...] = ()
        self.fault = ""

    def read(self) -> list[bytes]:
        """The decoded keys of the file, in order.

        Raises:
            KeyProviderConfigError: It is missing, unsafe or not a key file; names the setting.
        """
        seen = self._state()
        master_keys = _master_keys(read_file(self._contents, self._path, self._setting))
        if not master_keys:
            raise KeyProviderConfigError(
                f"{self._setting}: the key file must hold one Fernet key a line."
            )
        self._seen = seen
        return master_keys

    def read_if_changed(self) -> list[bytes] | None:
        """The same, no key where the file cannot be used, or ``None`` if nothing has changed.

        A file that cannot be used is read again each time, since it may be replaced at this moment.
        """
        if self._seen and self._seen == self._state():
            return None
        try:
            master_keys = self.read()
        except KeyProviderConfigError as error:
            self._seen, self.fault = (), str(error)
            return []
        self.fault = ""
        return master_keys

    def _state(self) -> tuple[int, ...]:
        """Changes whenever the file's content, owner or mode does; empty if there is no file."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class LocalFernet(KeyProvider):
    """Wraps under the first of several master keys that this process holds.

    Args:
        master_keys: Fernet keys of 32 bytes, decoded; at least one.
        file: Their source. A key that leaves it is dropped, and taken back if it returns.
    """

    scheme = "local-fernet"
    remote = False

    def __init__(self, master_keys: Sequence[bytes], file: KeyFile | None = None) -> None:
        self._masters = {_key_ref(master): master for master in master_keys}
        self._current = _key_ref(master_keys[0])
        self._dropped: frozenset[str] = frozenset()
        self._file = file

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap under the first key of the file, as it was at the start."""
        token = self._fernet(self._current, context).encrypt(bytes(key))
        return WrappedKey(self.scheme, self._current, base64.urlsafe_b64decode(token))

    def status(self) -> ProviderStatus:
        """Healthy while the key that wraps is in the file."""
        try:
            self._master(self._current)
        except UnknownKey as error:
            return ProviderStatus(healthy=False, key_ref=self._current, detail=str(error))
        return ProviderStatus(healthy=True, key_ref=self._current)

    def owns(self, key_ref: str) -> bool:
        """Return whether the file held the key with this fingerprint at the start."""
        return key_ref in self._masters or key_ref in self._dropped

    def refresh(self) -> None:
        """Drop the keys that the file holds no longer, and take back those that it holds again."""
        found = None if self._file is None else self._file.read_if_changed()
        if found is None:
            return
        known = self._dropped | self._masters.keys()
        by_ref = {_key_ref(master): master for master in found}
        masters = {ref: by_ref[ref] for ref in by_ref if ref in known}
        # First, or another thread would not find these as owned.
        self._dropped = frozenset(known - masters.keys())
        self._masters = masters

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open with the key that the wrapping names."""
        fernet = self._fernet(wrapped.key_ref, context)
        token = base64.urlsafe_b64encode(wrapped.blob)
        try:
            return DataKey(fernet.decrypt(token))
        except InvalidToken:
            raise DecryptionError from None

    def _fernet(self, key_ref: str, context: KeyContext) -> Fernet:
        master = self._master(key_ref)
        derived = HKDF(SHA256(), 32, salt=None, info=_WRAP_LABEL + context.to_bytes())
        return Fernet(base64.urlsafe_b64encode(derived.derive(master)))

    def _master(self, key_ref: str) -> bytes:
        """The key with this fingerprint, if the file holds it still."""
        self.refresh()
        master = self._masters.get(key_ref)
        if master is None:
            fault = "" if self._file is None else self._file.fault
            raise UnknownKey(fault or "The key file does not hold the key of this wrapping.")
        return master


def from_spec(spec: ProviderSpec) -> LocalFernet:
    """The provider whose keys the file at the URI's path holds.

    Raises:
        KeyProviderConfigError: The file is missing, unsafe or not a key file; names the setting.
    """
    if spec.options:
        raise KeyProviderConfigError(f"{spec.setting}: local-fernet takes no options.")
    file = KeyFile(Path(spec.location), spec.setting, spec.files.read_private)
    return LocalFernet(file.read(), file)


def new_key_file() -> bytes:
    """The content of a key file with one new key."""
    return Fernet.generate_key() + b"\n"


def _master_keys(content: bytes) -> list[bytes]:
    """The keys of a file; none at all where a line holds something else."""
    lines = content.split()
    if not all(_KEY_LINE.fullmatch(line) for line in lines):
        return []
    return [base64.urlsafe_b64decode(line) for line in lines]


def _key_ref(master: bytes) -> str:
    fingerprint = HKDF(SHA256(), _FINGERPRINT_BYTES, salt=None, info=_FINGERPRINT_LABEL)
    return f"local-fernet:{fingerprint.derive(master).hex()}"
