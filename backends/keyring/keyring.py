"""The keyring: the configured providers in order. The first wraps, all may unwrap."""

from collections.abc import Iterable, Iterator, Sequence

from backends.context import KeyContext
from backends.data_key import DataKey, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring.bounded_provider import BoundedProvider
from backends.keyring.bulkhead import Bulkhead
from backends.keyring.proof import prove_wrapping
from backends.provider import KeyProvider, KeyWrapper, ProviderStatus, WrappedKey


class Keyring:
    """Makes data keys under the first provider and every escrow key; opens them by any provider.

    Args:
        providers: At least one, in the order of the setting.
        escrow: What also wraps every new data key.
        concurrency: How many threads may wait for remote providers at once, and how many for a
            thread that does; any further one is refused.

    Attributes:
        remote: Whether some provider or escrow key is asked over a network.
        waiters: Where those wait who need what another thread is already asking a provider for.
    """

    def __init__(
        self,
        providers: Sequence[KeyProvider],
        escrow: Sequence[KeyWrapper] = (),
        *,
        concurrency: int = 8,
    ) -> None:
        self._providers = tuple(
            BoundedProvider(each, concurrency=concurrency) for each in providers
        )
        self._escrow = tuple(BoundedProvider(each, concurrency=concurrency) for each in escrow)
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
            key, wrapped = first.call(lambda: first.provider.generate(context))
            try:
                prove_wrapping(first, key, wrapped, context)
                escrowed = [_wrap(each, key, context) for each in self._escrow]
                return key, _one_a_key_ref([wrapped, *escrowed])
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
        with self._callers.slot():
            for wrapped, owners in self.owners(wrappings):
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

    def members(self) -> Iterator[tuple[str, BoundedProvider[KeyWrapper]]]:
        """Every member with its role: ``wraps`` (the first), ``unwraps`` (others), ``escrow``."""
        for place, provider in enumerate(self._providers):
            yield ("unwraps" if place else "wraps"), provider
        for escrow in self._escrow:
            yield "escrow", escrow

    @property
    def targets(self) -> tuple[BoundedProvider[KeyWrapper], ...]:
        """Whom every data key should have a current wrapping by: the first, and the escrow keys."""
        return (self._providers[0], *self._escrow)

    def owns(self, key_ref: str) -> bool:
        """Whether some listed provider could unwrap what ``key_ref`` names."""
        return any(each.provider.owns(key_ref) for each in self._providers)

    def root_of(self, key_ref: str) -> str:
        """The name of the root key that ``key_ref`` is a version of, if a member owns it."""
        for member in (*self._providers, *self._escrow):
            if isinstance(member.provider, KeyProvider) and member.provider.owns(key_ref):
                return member.provider.root_of(key_ref)
        return key_ref

    def statuses(self) -> tuple[ProviderStatus, ...]:
        """How every provider, then every escrow key, is; at most 20 seconds old."""
        return tuple(each.status() for each in (*self._providers, *self._escrow))

    def refresh(self) -> None:
        """Have every provider drop the keys that its own files hold no longer; asks no network."""
        for member in (*self._providers, *self._escrow):
            member.provider.refresh()

    def prepare(self) -> None:
        """Have every provider begin to fetch its credentials where calls need new ones soon."""
        for member in (*self._providers, *self._escrow):
            member.provider.prepare(0.0)

    def close(self) -> None:
        """Let go of the connections and threads of every provider."""
        for member in (*self._providers, *self._escrow):
            member.close()

    def owners(
        self, wrappings: Iterable[WrappedKey]
    ) -> Iterator[tuple[WrappedKey, tuple[BoundedProvider[KeyProvider], ...]]]:
        """Each wrapping that a provider owns, with all that do, in the order of asking them."""
        remaining = list(wrappings)
        for member in self._providers:
            for wrapped in [each for each in remaining if member.provider.owns(each.key_ref)]:
                remaining.remove(wrapped)
                yield (
                    wrapped,
                    tuple(m for m in self._providers if m.provider.owns(wrapped.key_ref)),
                )


def _wrap(member: BoundedProvider[KeyWrapper], key: DataKey, context: KeyContext) -> WrappedKey:
    wrapped = member.call(lambda: member.provider.wrap(key, context))
    prove_wrapping(member, key, wrapped, context)
    return wrapped


def _one_a_key_ref(wrappings: Sequence[WrappedKey]) -> tuple[WrappedKey, ...]:
    """The first wrapping by each key_ref: what is listed twice wraps once."""
    by_ref: dict[str, WrappedKey] = {}
    for each in wrappings:
        by_ref.setdefault(each.key_ref, each)
    return tuple(by_ref.values())


def _unwrap_by_any(
    owners: Sequence[BoundedProvider[KeyProvider]], wrapped: WrappedKey, context: KeyContext
) -> DataKey:
    """Try all owners; tampering is reported only when none of them opens the wrapping."""
    failures: list[KeyProviderError] = []
    for member in owners:
        try:
            return _unwrap(member, wrapped, context)
        except KeyProviderError as error:
            failures.append(error)
    raise next((f for f in failures if not isinstance(f, DecryptionError)), failures[0])


def _unwrap(
    member: BoundedProvider[KeyProvider], wrapped: WrappedKey, context: KeyContext
) -> DataKey:
    return member.call(lambda: member.provider.unwrap(wrapped, context))
