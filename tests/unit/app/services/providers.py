"""Key providers on real key files that count their calls and fail when they are told to."""

import base64
from collections.abc import Callable
from pathlib import Path

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError
from backends.local_fernet import LocalFernet
from backends.provider import ProviderStatus, WrappedKey


class Scripted(LocalFernet):
    """A key file that counts, that may be down, and that tells the test of each call.

    Args:
        uri: The key file's URI.

    Attributes:
        calls: How often it was asked to wrap or to unwrap.
        down: What every call raises for as long as it is set.
        before_call: Called before each call.
    """

    def __init__(self, uri: str) -> None:
        lines = Path(uri.partition(":")[2]).read_bytes().split()
        super().__init__([base64.urlsafe_b64decode(line) for line in lines])
        self.calls = 0
        self.down: KeyProviderError | None = None
        self.before_call: Callable[[], None] = lambda: None

    @property
    def key_ref(self) -> str:
        """The key_ref of its new wrappings."""
        return self._current

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        self._ask()
        return super().wrap(key, context)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        self._ask()
        return super().unwrap(wrapped, context)

    def status(self) -> ProviderStatus:
        if self.down is not None:
            return ProviderStatus(healthy=False, key_ref=None, detail=str(self.down))
        return super().status()

    def _ask(self) -> None:
        self.calls += 1
        self.before_call()
        if self.down is not None:
            raise self.down


class Remote(Scripted):
    """The same behind a network: called in threads of its own, and given up when it hangs."""

    remote = True
