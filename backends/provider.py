"""The port to key providers: everything that holds a root key.

Implementations live in one module a scheme, which alone imports the vendor's SDK and translates
the vendor's errors into those of ``backends.errors``, once. They may be called from many threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, SupportsIndex, TypeVar

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One data key wrapped by one provider: all that is stored of it.

    Attributes:
        scheme: The provider's scheme.
        key_ref: The root key, with its version if it has several. At most 512 characters.
        blob: The wrapped key. Opens only through the provider, under its own context.
    """

    scheme: str
    key_ref: str
    blob: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """The health of a provider, as it reports it now.

    Attributes:
        healthy: It answered, and would wrap.
        key_ref: Of new wrappings; ``None`` when the provider cannot say. A wrapping with another
            ``key_ref`` is stale.
        detail: One sentence for the operator when it is not healthy. Holds no vendor text.
    """

    healthy: bool
    key_ref: str | None
    detail: str = ""


KeyItems = Sequence[tuple[DataKey, KeyContext]]
"""Data keys to wrap, each under its own context."""
WrappedItems = Sequence[tuple[WrappedKey, KeyContext]]
"""Wrapped keys to unwrap or to rewrap, each under its own context."""


class KeyWrapper(ABC):
    """Something that can wrap data keys: enough for escrow.

    Attributes:
        scheme: The scheme of its URIs.
        remote: True if its calls wait for another machine.
    """

    scheme: str
    remote: bool = True

    @abstractmethod
    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap ``key`` so that it opens only under ``context``.

        Raises:
            KeyProviderError: It could not; never a vendor's error.
        """

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        """Wrap each item. Returns wrapped keys in order, with an error where one failed."""
        return [or_error(partial(self.wrap, *item)) for item in items]

    def owns(self, key_ref: str) -> bool:  # noqa: ARG002 - it opens nothing
        """Return whether this provider could unwrap what ``key_ref`` names; asks no network."""
        return False

    def root_of(self, key_ref: str) -> str:
        """The name of the root key that ``key_ref`` is a version of; asks no network.

        Equal for all versions that go on wrapping under one setting. It is no ``key_ref``, except
        where a root key has one version only: then it is that one's, as here.
        """
        return key_ref

    @abstractmethod
    def status(self) -> ProviderStatus:
        """Ask for its health. Does not raise: an error is an unhealthy status."""

    def refresh(self) -> None:
        """Drop keys that this provider's own files hold no longer; asks no network.

        Called every few seconds in a process that serves. Does not raise.
        """

    def prepare(self, seconds: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Begin to fetch what calls need and what may take longer than a call: credentials.

        Does not raise: if it fails, the next call says why. Calls go on meanwhile.

        Args:
            seconds: Limit of the wait for it, where calls cannot do without.

        Returns:
            True if calls have what they need.
        """
        return True

    def close(self) -> None:
        """Close connections and threads; the provider is not used again."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key provider cannot be pickled or copied by protocol")


class KeyProvider(KeyWrapper):
    """Something that can wrap data keys and open what it wrapped."""

    @abstractmethod
    def owns(self, key_ref: str) -> bool: ...  # noqa: D102

    @abstractmethod
    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open a wrapping.

        Raises:
            DecryptionError: Tampered with, another context or another key.
            KeyProviderError: Any other reason, by its own class.
        """

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        """Make a new data key and its first wrapping, in one call of the vendor where it can."""
        key = DataKey.random()
        return key, self.wrap(key, context)

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        """Wrap the same data key under the newest version of this provider's root key."""
        key = self.unwrap(wrapped, context)
        try:
            return self.wrap(key, context)
        finally:
            key.wipe()

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        """Rewrap each item. Returns wrapped keys in order, with an error where one failed."""
        return [or_error(partial(self.rewrap, *item)) for item in items]

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        """Unwrap each item. Returns data keys in order, with an error where one failed."""
        return [or_error(partial(self.unwrap, *item)) for item in items]


def or_error(call: Callable[[], T]) -> T | KeyProviderError:
    """Return the result of one call of many, or the error that it raised."""
    try:
        return call()
    except KeyProviderError as error:
        return error
