"""The keyring: the configured providers in order. The first wraps, all may unwrap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.bounded_provider import BoundedProvider, BoundedWrapper, bounded
from backends.keyring.bulkhead import Bulkhead
from backends.keyring.opening import (
    ClosedKey,
    Opened,
    ask_for_many,
    ask_for_one,
    open_keys,
    owners_of,
)
from backends.keyring.proof import prove_wrapping
from backends.provider import KeyProvider, KeyWrapper, ProviderStatus, WrappedKey

KEYS = "STRONGROOM_KEYS"
ESCROW_KEYS = "STRONGROOM_ESCROW_KEYS"


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """A provider of the keyring, named as the operator listed it.

    Attributes:
        setting: Such as ``STRONGROOM_KEYS (entry 1)``.
        role: ``wraps`` for the first, ``unwraps`` for the others, ``escrow``.
    """

    setting: str
    role: str
    provider: BoundedWrapper

    def says(self, text: str) -> str:
        """A sentence about it that begins with its setting."""
        return text if text.startswith(self.setting) else f"{self.setting}: {text}"


def name_entry(setting: str, place: int) -> str:
    """The name of an entry of a setting, for messages; the first has place 0."""
    return f"{setting} (entry {place + 1})"


class Keyring:
    """Makes data keys under the first provider and every escrow key; opens them by any provider.

    Args:
        providers: At least one, in the order of the setting.
        escrow: Providers that also wrap every new data key.
        concurrency: The limit of threads that wait for remote providers at once, and of those that
            wait for such a thread. Any further one is refused.

    Attributes:
        listed: Every provider, then every escrow key, in the order of the settings.
        remote: Whether some provider or escrow key is asked over a network.
        faults: Why some entries could not be built, one sentence each.
        waiters: Bounds the threads that wait for what another thread asks a provider for.
    """

    def __init__(
        self,
        providers: Sequence[KeyProvider],
        escrow: Sequence[KeyWrapper] = (),
        *,
        concurrency: int = 8,
        faults: Sequence[str] = (),
    ) -> None:
        self._providers = tuple(
            BoundedProvider(each, concurrency=concurrency) for each in providers
        )
        self._escrow = tuple(bounded(each, concurrency=concurrency) for each in escrow)
        self._named = (*providers, *escrow)
        self.listed = (
            *(
                ListedProvider(name_entry(KEYS, place), "unwraps" if place else "wraps", each)
                for place, each in enumerate(self._providers)
            ),
            *(
                ListedProvider(name_entry(ESCROW_KEYS, place), "escrow", each)
                for place, each in enumerate(self._escrow)
            ),
        )
        self.faults = tuple(faults)
        self.remote = any(each.remote for each in (*providers, *escrow))
        self._callers = Bulkhead(concurrency if self.remote else None)
        self.waiters = Bulkhead(concurrency if self.remote else None)

    def generate(self, context: KeyContext) -> tuple[DataKey, tuple[WrappedKey, ...]]:
        """Make a data key, wrapped by the first provider and every escrow key, each proved.

        Raises:
            KeyProviderError: One of them could not, or its wrapping does not open to the key; then
                there is no key.
        """
        first = self._providers[0]
        with self._callers.slot():
            key, wrapped = first.generate(context)
            try:
                prove_wrapping(first, key, wrapped, context)
                escrowed = [_wrap(each, key, context) for each in self._escrow]
                return key, _one_a_key_ref([wrapped, *escrowed])
            except KeyProviderError:
                key.wipe()
                raise

    def unwrap(self, key: ClosedKey) -> DataKey:
        """Open a data key by the first wrapping that a provider opens, and verify it.

        Raises:
            DecryptionError: A wrapping was tampered with, or holds another key.
            UnknownKey: No provider owns a wrapping.
            KeyProviderError: The last provider's, when none that owns a wrapping could open it.
        """
        with self._callers.slot():
            (opened,) = open_keys(self._providers, [key], ask_for_one)
        if isinstance(opened, KeyProviderError):
            raise opened
        return opened

    def unwrap_many(self, keys: Sequence[ClosedKey]) -> list[Opened]:
        """Open each data key, as ``unwrap`` does, with one call for all that a provider opens.

        Returns:
            The keys in order, with an error where ``unwrap`` would raise it.
        """
        return open_keys(self._providers, keys, ask_for_many)

    @property
    def targets(self) -> tuple[KeyWrapper, ...]:
        """The providers that each data key needs a current wrapping by: the first, and escrow."""
        return (self._providers[0], *self._escrow)

    def wrapping(self) -> dict[str, ListedProvider]:
        """Return the same as they are listed, by the key_ref that new wrappings get.

        Raises:
            KeyUnavailable: One of them cannot tell it; names the setting.
        """
        wrapping = {}
        for listed in self.listed:
            if listed.role == "unwraps":
                continue
            status = listed.provider.status()
            if status.key_ref is None:
                raise KeyUnavailable(listed.says(f"cannot tell its current key: {status.detail}"))
            wrapping[status.key_ref] = listed
        return wrapping

    def owns(self, key_ref: str) -> bool:
        """Return whether some listed provider could unwrap what ``key_ref`` names."""
        return any(each.owns(key_ref) for each in self._providers)

    def owners(
        self, wrappings: Iterable[WrappedKey]
    ) -> Iterator[tuple[WrappedKey, tuple[KeyProvider, ...]]]:
        """Each wrapping that a provider owns, with all that do, in the order of asking them."""
        return owners_of(self._providers, wrappings)

    def root_of(self, key_ref: str) -> str:
        """The name of the root key that ``key_ref`` is a version of, if a listed one owns it."""
        for provider in self._named:
            if provider.owns(key_ref):
                return provider.root_of(key_ref)
        return key_ref

    def statuses(self) -> tuple[ProviderStatus, ...]:
        """The status of every provider, then of every escrow key; at most 20 seconds old."""
        return tuple(each.provider.status() for each in self.listed)

    def refresh(self) -> None:
        """Have every provider drop the keys that its own files hold no longer; asks no network."""
        for each in self.listed:
            each.provider.refresh()

    def prepare(self) -> None:
        """Have every provider begin to fetch its credentials where calls need new ones soon."""
        for each in self.listed:
            each.provider.prepare(0.0)

    def close(self) -> None:
        """Let go of the connections and threads of every provider."""
        for each in self.listed:
            each.provider.close()


def _wrap(provider: KeyWrapper, key: DataKey, context: KeyContext) -> WrappedKey:
    wrapped = provider.wrap(key, context)
    prove_wrapping(provider, key, wrapped, context)
    return wrapped


def _one_a_key_ref(wrappings: Sequence[WrappedKey]) -> tuple[WrappedKey, ...]:
    """The first wrapping by each key_ref: what is listed twice wraps once."""
    by_ref: dict[str, WrappedKey] = {}
    for each in wrappings:
        by_ref.setdefault(each.key_ref, each)
    return tuple(by_ref.values())
