"""Proofs that a provider does what it is listed for: by doing it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.context import KeyContext
from backends.data_key import DataKey, key_check, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring.opening import ClosedKey, Opened
from backends.provider import KeyProvider, KeyWrapper, WrappedKey

Wrapped = WrappedKey | KeyProviderError


def proved(
    provider: KeyWrapper, keys: Sequence[ClosedKey], wrapped: Sequence[Wrapped]
) -> list[Wrapped]:
    """Prove wrappings by ``provider``: each must open to its data key.

    Wrappings by an escrow key, which opens nothing here, are returned as they are.

    Args:
        provider: Made them.
        keys: The data keys, in the order of the wrappings.
        wrapped: The wrappings. Errors among them are returned as they are.

    Returns:
        Each wrapping, or why it does not open.
    """
    if not isinstance(provider, KeyProvider):
        return list(wrapped)
    items = [
        (each, key.context)
        for each, key in zip(wrapped, keys, strict=True)
        if isinstance(each, WrappedKey)
    ]
    opened = iter(provider.unwrap_many(items))
    return [
        _fault(next(opened), key.context, key.check) or each
        if isinstance(each, WrappedKey)
        else each
        for each, key in zip(wrapped, keys, strict=True)
    ]


def prove_wrapping(
    provider: KeyWrapper, key: DataKey, wrapped: WrappedKey, context: KeyContext
) -> None:
    """Open one new wrapping before anything relies on it; an escrow key's is not opened.

    One that does not open is the provider's fault of the moment: nothing that is stored is damaged.

    Raises:
        KeyProviderError: It does not open to the key, or the provider could not open it.
    """
    if not isinstance(provider, KeyProvider):
        return
    try:
        prove_unwrapping(provider, wrapped, context, key_check(key, context))
    except DecryptionError:
        raise KeyProviderError("A new wrapping does not open to its data key.") from None


def prove_unwrapping(
    provider: KeyProvider, wrapped: WrappedKey, context: KeyContext, check: bytes
) -> None:
    """Have a provider open a wrapping, to the key that ``check`` was made from.

    Raises:
        DecryptionError: It does not open to that key.
        KeyProviderError: The provider could not open it.
    """
    fault = _fault(provider.unwrap(wrapped, context), context, check)
    if fault is not None:
        raise fault


def _fault(opened: Opened, context: KeyContext, check: bytes) -> KeyProviderError | None:
    """Return why a wrapping did not open to the key of ``check``. Wipes what was opened."""
    if isinstance(opened, KeyProviderError):
        return opened
    try:
        verify_key(opened, context, check)
    except DecryptionError as error:
        return error
    finally:
        opened.wipe()
    return None


def prove_generating(provider: KeyProvider, context: KeyContext) -> None:
    """Have a provider make and open a data key that nobody will use.

    Raises:
        KeyProviderError: It could not.
    """
    key, wrapped = provider.generate(context)
    try:
        prove_wrapping(provider, key, wrapped, context)
    finally:
        key.wipe()


def prove_rewrapping(provider: KeyWrapper, context: KeyContext) -> None:
    """Have a provider wrap a data key that it did not make, and rewrap it if it unwraps.

    Raises:
        KeyProviderError: It could not.
    """
    key = DataKey.random()
    try:
        wrapped = provider.wrap(key, context)
        prove_wrapping(provider, key, wrapped, context)
        if isinstance(provider, KeyProvider):
            prove_wrapping(provider, key, provider.rewrap(wrapped, context), context)
    finally:
        key.wipe()


@dataclass(frozen=True, slots=True)
class Openings:
    """The wrappings by which a data key was opened.

    Attributes:
        key_refs: Of the wrappings that opened.
        failures: One for each wrapping and provider that did not open it; one if nobody was asked.
    """

    key_refs: frozenset[str]
    failures: tuple[KeyProviderError, ...]


def try_openings(
    owners: Iterable[tuple[WrappedKey, Iterable[KeyProvider]]],
    context: KeyContext,
    check: bytes,
    *,
    until_one: bool,
) -> Openings:
    """Have providers open the wrappings of a data key, each to the key of ``check``.

    Args:
        owners: Each wrapping with those that own it (``Keyring.owners``).
        context: The key's own.
        check: What ``key_check`` returned when the key was made.
        until_one: Stop at the first that opens; otherwise try each wrapping.
    """
    key_refs: set[str] = set()
    failures: list[KeyProviderError] = []
    for wrapped, providers in owners:
        for provider in providers:
            try:
                prove_unwrapping(provider, wrapped, context, check)
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
