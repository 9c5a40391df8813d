"""Wrappings between the database's words and the providers'."""

from app.domain.data_keys import Wrapping
from backends.context import KeyContext
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
