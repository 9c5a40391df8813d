"""Wrappings between the database's words and the providers'."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.domain.data_keys import Wrapping
from app.repository.base import Fenced
from backends.context import KeyContext
from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.provider import KeyWrapper, WrappedKey


def to_wrapped_key(wrapping: Wrapping) -> WrappedKey:
    """What a provider opens."""
    return WrappedKey(wrapping.scheme, wrapping.key_ref, wrapping.blob)


def to_wrapping(wrapped: WrappedKey, context: KeyContext) -> Wrapping:
    """What the database holds of it."""
    return Wrapping(
        account_id=context.account_id,
        data_key_id=context.data_key_id,
        scheme=wrapped.scheme,
        key_ref=wrapped.key_ref,
        blob=wrapped.blob,
    )


def new_wrapping(wrapped: WrappedKey, context: KeyContext, keyring: Keyring) -> Wrapping:
    """What the database stores, with all that a fence may be filed under."""
    return replace(to_wrapping(wrapped, context), root=keyring.root_of(wrapped.key_ref))


def superseded(
    closed: ClosedKey, new: WrappedKey, target: KeyWrapper, current: Collection[str]
) -> tuple[WrappedKey, ...]:
    """What a new wrapping makes needless: those by other versions of its root key.

    Args:
        closed: The data key, without the new wrapping.
        target: Who made it.
        current: What new wrappings get, by whom ever: they stay.
    """
    root = target.root_of(new.key_ref)
    return tuple(
        each
        for each in closed.owned_by(target)
        if each.key_ref not in current and target.root_of(each.key_ref) == root
    )


@contextmanager
def refusing_retired_keys() -> Iterator[None]:
    """Around what stores new wrappings: who still wraps by a retired key is misconfigured.

    Raises:
        KeyProviderConfigError: A wrapping's root key was retired; names the settings.
    """
    try:
        yield
    except Fenced:
        raise KeyProviderConfigError(
            "STRONGROOM_KEYS or STRONGROOM_ESCROW_KEYS: a key that new wrappings are made by was "
            "retired."
        ) from None
