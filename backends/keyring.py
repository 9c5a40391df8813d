"""The keyring: the configured providers in order. The first wraps, all may unwrap."""

from collections.abc import Iterable, Iterator, Sequence

from backends.context import KeyContext
from backends.data_key import DataKey, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.provider import KeyProvider, KeyWrapper, ProviderStatus, WrappedKey


class Keyring:
    """Makes data keys under the first provider and every escrow key; opens them by any provider.

    Args:
        providers: At least one, in the order of the setting.
        escrow: What also wraps every new data key.
    """

    def __init__(self, providers: Sequence[KeyProvider], escrow: Sequence[KeyWrapper] = ()) -> None:
        self._providers = tuple(providers)
        self._escrow = tuple(escrow)

    def generate(self, context: KeyContext) -> tuple[DataKey, tuple[WrappedKey, ...]]:
        """Make a data key, wrapped by the first provider and every escrow key.

        Raises:
            KeyProviderError: One of them could not; then there is no key.
        """
        key, wrapped = self._providers[0].generate(context)
        try:
            return key, (wrapped, *(escrow.wrap(key, context) for escrow in self._escrow))
        except KeyProviderError:
            key.wipe()
            raise

    def unwrap(self, wrappings: Iterable[WrappedKey], context: KeyContext, check: bytes) -> DataKey:
        """Open a data key by the first wrapping that a provider opens, and verify it.

        Args:
            wrappings: All wrappings of the key.
            context: The key's own.
            check: What ``key_check`` gave when the key was made.

        Raises:
            DecryptionError: A wrapping was tampered with, or holds another key.
            UnknownKey: No provider owns a wrapping.
            KeyProviderError: The last provider's, when none that owns a wrapping could open it.
        """
        failure: KeyProviderError = UnknownKey(
            "No listed provider owns a wrapping of this data key."
        )
        for wrapped, owners in self._owned(wrappings):
            try:
                key = _unwrap_by_any(owners, wrapped, context)
            except DecryptionError:
                raise
            except KeyProviderError as error:
                failure = error
            else:
                verify_key(key, context, check)
                return key
        raise failure

    def owns(self, key_ref: str) -> bool:
        """Whether some listed provider could unwrap what ``key_ref`` names."""
        return any(provider.owns(key_ref) for provider in self._providers)

    def can_wrap(self) -> bool:
        """Whether the first provider and every escrow key say that they would wrap."""
        return all(each.status().healthy for each in (self._providers[0], *self._escrow))

    def can_unwrap(self) -> bool:
        """Whether some listed provider says that it answers."""
        return any(provider.status().healthy for provider in self._providers)

    def statuses(self) -> tuple[ProviderStatus, ...]:
        """Ask every provider, then every escrow key, how it is."""
        return tuple(member.status() for member in (*self._providers, *self._escrow))

    def close(self) -> None:
        """Let go of the connections of every provider."""
        for member in (*self._providers, *self._escrow):
            member.close()

    def _owned(
        self, wrappings: Iterable[WrappedKey]
    ) -> Iterator[tuple[WrappedKey, tuple[KeyProvider, ...]]]:
        remaining = list(wrappings)
        for provider in self._providers:
            for wrapped in [each for each in remaining if provider.owns(each.key_ref)]:
                remaining.remove(wrapped)
                yield wrapped, tuple(p for p in self._providers if p.owns(wrapped.key_ref))


def _unwrap_by_any(
    owners: Sequence[KeyProvider], wrapped: WrappedKey, context: KeyContext
) -> DataKey:
    """Try all owners; tampering is reported only when none of them opens the wrapping."""
    failures: list[KeyProviderError] = []
    for provider in owners:
        try:
            return provider.unwrap(wrapped, context)
        except KeyProviderError as error:
            failures.append(error)
    raise next((f for f in failures if not isinstance(f, DecryptionError)), failures[0])
