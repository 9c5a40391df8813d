"""Wrappings that count while root keys are retired: those that no fence names."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from backends.data_key import DataKey
from backends.errors import KeyProviderError, UnknownKey
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.provider import WrappedKey


def without_retired(
    wrapped: Iterable[WrappedKey], fences: Collection[str], keyring: Keyring
) -> list[WrappedKey]:
    """Return the wrappings whose key_ref and root key are not fenced."""
    if not fences:
        return list(wrapped)
    return [
        each
        for each in wrapped
        if each.key_ref not in fences and keyring.root_of(each.key_ref) not in fences
    ]


def owns_any(keyring: Keyring, wrapped: Iterable[WrappedKey]) -> bool:
    """Return whether a listed provider could open one of these."""
    return any(keyring.owns(each.key_ref) for each in wrapped)


def not_owned(keyring: Keyring, fences: Collection[str]) -> UnknownKey:
    """Return the error for a data key that no listed provider owns; names the retired keys."""
    current = {status.key_ref for status in keyring.statuses() if status.key_ref}
    retired = sorted(each for each in current if {each, keyring.root_of(each)} & {*fences})
    if not retired:
        return UnknownKey("No listed provider owns a wrapping of this data key.")
    return UnknownKey(
        f"STRONGROOM_KEYS: only keys that were retired are listed ({', '.join(retired)}); list "
        "another one and restart, or see: strongroom keyring retire --undo"
    )


def unwrap(
    keyring: Keyring, key: ClosedKey, fences: Collection[str]
) -> tuple[DataKey, KeyProviderError | None]:
    """Open a data key, by retired root keys only where no other one does.

    Returns:
        The key, and why no other root key opens it.

    Raises:
        KeyProviderError: Nothing opens it.
    """
    usable = without_retired(key.wrappings, fences, keyring)
    try:
        return keyring.unwrap(replace(key, wrappings=tuple(usable))), None
    except KeyProviderError as error:
        failure = error if owns_any(keyring, usable) else not_owned(keyring, fences)
    if not owns_any(keyring, [each for each in key.wrappings if each not in usable]):
        raise failure
    return keyring.unwrap(key), failure
