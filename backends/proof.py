"""Whether a provider does what it is listed for, shown by doing it."""

from backends.context import KeyContext
from backends.data_key import DataKey, key_check, verify_key
from backends.errors import DecryptionError, KeyProviderError
from backends.member import Member
from backends.provider import KeyProvider, KeyWrapper, WrappedKey


def prove_wrapping(
    member: Member[KeyWrapper], key: DataKey, wrapped: WrappedKey, context: KeyContext
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
    member: Member[KeyWrapper],
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
    member: Member[KeyWrapper], provider: KeyProvider, context: KeyContext
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


def prove_rewrapping(member: Member[KeyWrapper], context: KeyContext) -> None:
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
