"""Wrappings between the database's words and the providers'."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from app.domain.data_keys import Wrapping
from app.repository.base import Fenced
from backends.context import KeyContext
from backends.errors import KeyProviderConfigError, KeyProviderError
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.provider import WrappedKey


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


def new_wrapping(wrapped: WrappedKey, context: KeyContext, root: str) -> Wrapping:
    """The row of a new wrapping, with the name of its root key, which fences may name."""
    return replace(to_wrapping(wrapped, context), root=root)


def roots_of(
    keyring: Keyring, keys: Iterable[ClosedKey], new: Iterable[WrappedKey | KeyProviderError]
) -> dict[str, str]:
    """The name of the root key of each key_ref among old and new wrappings of a batch."""
    key_refs = {each.key_ref for key in keys for each in key.wrappings}
    key_refs |= {each.key_ref for each in new if isinstance(each, WrappedKey)}
    return {key_ref: keyring.root_of(key_ref) for key_ref in key_refs}


def superseded(
    closed: ClosedKey, new: WrappedKey, roots: Mapping[str, str], current: Collection[str]
) -> tuple[WrappedKey, ...]:
    """The wrappings that a new one makes needless: those by other versions of its root key.

    Args:
        closed: The data key, without the new wrapping.
        roots: The name of the root key of each key_ref.
        current: The key_refs that new wrappings get from any provider: these stay.
    """
    return tuple(
        each
        for each in closed.wrappings
        if each.key_ref not in current and roots[each.key_ref] == roots[new.key_ref]
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
