"""Wrappings between the database's words and the providers'."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.data_keys import Wrapping
from app.repository.base import Fenced
from backends.context import KeyContext
from backends.errors import KeyProviderConfigError
from backends.provider import WrappedKey


def to_wrapped_key(wrapping: Wrapping) -> WrappedKey:
    """What a provider opens."""
    return WrappedKey(wrapping.scheme, wrapping.key_ref, wrapping.blob)


def to_wrapping(wrapped: WrappedKey, context: KeyContext) -> Wrapping:
    """What the database stores."""
    return Wrapping(
        account_id=context.account_id,
        data_key_id=context.data_key_id,
        scheme=wrapped.scheme,
        key_ref=wrapped.key_ref,
        blob=wrapped.blob,
    )


@contextmanager
def refusing_retired_keys() -> Iterator[None]:
    """Around what stores new wrappings: who still wraps by a retired key is misconfigured.

    Raises:
        KeyProviderConfigError: A wrapping's key_ref was retired; names the settings.
    """
    try:
        yield
    except Fenced:
        raise KeyProviderConfigError(
            "STRONGROOM_KEYS or STRONGROOM_ESCROW_KEYS: a key that new wrappings are made by was "
            "retired."
        ) from None
