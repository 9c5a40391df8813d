"""Whether a provider does what it is listed for, shown by doing it."""

from collections.abc import Iterable
from dataclasses import dataclass

from backends.context import KeyContext
from backends.data_key import DataKey, key_check, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring.bounded_provider import BoundedProvider
from backends.provider import KeyProvider, KeyWrapper, WrappedKey


def prove_wrapping(
    member: BoundedProvider[KeyWrapper], key: DataKey, wrapped: WrappedKey, context: KeyContext
) -> None:
    """Open a new wrapping before anything relies on it; what only wraps is taken at its word.

    One that does not open is the provider's fault of the moment: nothing that is stored is damaged.

    Raises:
        KeyProviderError: It does not open to the key, or the provider could not open it.
    """
    provider = member.provider
    if not isinstance(provider, KeyProvider):
        return
    try:
        prove_unwrapping(member, provider, wrapped, context, key_check(key, context))
    except DecryptionError:
        raise KeyProviderError("A new wrapping does not open to its data key.") from None


def prove_unwrapping(
    member: BoundedProvider[KeyWrapper],
    provider: KeyProvider,
    wrapped: WrappedKey,
    context: KeyContext,
    check: bytes,
) -> None:
    """Have the member's provider open a wrapping, to the key that ``check`` was made from.

    Raises:
        DecryptionError: It does not open to that key.
        KeyProviderError: The provider could not open it.
    """
    opened = member.call(lambda: provider.unwrap(wrapped, context))
    try:
        verify_key(opened, context, check)
    finally:
        opened.wipe()


def prove_generating(
    member: BoundedProvider[KeyWrapper], provider: KeyProvider, context: KeyContext
) -> None:
    """Have the member's provider make and open a data key that nobody will use.

    Raises:
        KeyProviderError: It could not.
    """
    key, wrapped = member.call(lambda: provider.generate(context))
    try:
        prove_wrapping(member, key, wrapped, context)
    finally:
        key.wipe()


def prove_rewrapping(member: BoundedProvider[KeyWrapper], context: KeyContext) -> None:
    """Have a provider wrap a data key that it did not make, and wrap it anew if it can.

    Raises:
        KeyProviderError: It could not.
    """
    provider = member.provider
    key = DataKey.random()
    try:
        wrapped = member.call(lambda: provider.wrap(key, context))
        prove_wrapping(member, key, wrapped, context)
        if isinstance(provider, KeyProvider):
            anew = member.call(lambda: provider.rewrap(wrapped, context))
            prove_wrapping(member, key, anew, context)
    finally:
        key.wipe()


@dataclass(frozen=True, slots=True)
class Openings:
    """By which of its wrappings a data key was opened.

    Attributes:
        key_refs: Of the wrappings that opened.
        failures: One for each wrapping and provider that did not open it; one if nobody was asked.
    """

    key_refs: frozenset[str]
    failures: tuple[KeyProviderError, ...]


def try_openings(
    owners: Iterable[tuple[WrappedKey, Iterable[BoundedProvider[KeyProvider]]]],
    context: KeyContext,
    check: bytes,
    *,
    until_one: bool,
) -> Openings:
    """Have providers open the wrappings of a data key, each to the key that ``check`` tells.

    Args:
        owners: Each wrapping with those that own it (``Keyring.owners``).
        context: The key's own.
        check: What ``key_check`` gave when the key was made.
        until_one: Stop at the first that opens; otherwise try each wrapping.
    """
    key_refs: set[str] = set()
    failures: list[KeyProviderError] = []
    for wrapped, members in owners:
        for member in members:
            try:
                prove_unwrapping(member, member.provider, wrapped, context, check)
            except KeyProviderError as error:
                failures.append(error)
            else:
                key_refs.add(wrapped.key_ref)
                break
        if until_one and key_refs:
            break
    if not key_refs and not failures:
        failures.append(UnknownKey("No listed provider owns a wrapping of this data key."))
    return Openings(frozenset(key_refs), tuple(failures))
