"""New wrappings of data keys that exist, each proved to open to its key before it is returned.

A provider that wrapped a key before is asked to rewrap it: KMS and Vault then never show the key.
Where it did not, or cannot, the key is opened by any provider that can, and wrapped.

That is not done where the provider is down, throttles or denies. It would be asked for three things
instead of one, and no key is to be shown because the right to rewrap it is missing.
"""

from collections.abc import Sequence

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyAccessDenied, KeyUnavailable, UnknownKey
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import Wrapped, proved
from backends.provider import KeyProvider, KeyWrapper, WrappedKey


def rewrap(keyring: Keyring, target: KeyWrapper, keys: Sequence[ClosedKey]) -> list[Wrapped]:
    """A new wrapping by ``target`` for each data key, in order, or the reason why there is none.

    A wrapping by an escrow key cannot be opened here: it is made from a key that was verified.
    """
    new = _rewrap_own(target, keys)
    others = [place for place, each in enumerate(new) if _may_be_wrapped(each)]
    if others:
        wrapped = _open_and_wrap(keyring, target, [keys[place] for place in others])
        for place, each in zip(others, wrapped, strict=True):
            new[place] = each
    return proved(target, keys, new)


def wrap_opened(target: KeyWrapper, opened: Sequence[tuple[DataKey, ClosedKey]]) -> list[Wrapped]:
    """A proved wrapping by ``target`` for each data key that is open, in order, or why not."""
    wrapped = target.wrap_many([(key, closed.context) for key, closed in opened])
    return proved(target, [closed for _, closed in opened], wrapped)


def _rewrap_own(target: KeyWrapper, keys: Sequence[ClosedKey]) -> list[Wrapped]:
    foreign = UnknownKey("The provider did not wrap this data key.")
    new: list[Wrapped] = [foreign] * len(keys)
    if not isinstance(target, KeyProvider):
        return new
    owned = {
        ref for ref in {each.key_ref for key in keys for each in key.wrappings} if target.owns(ref)
    }
    items: dict[int, tuple[WrappedKey, KeyContext]] = {}
    for place, key in enumerate(keys):
        for wrapped in key.wrappings:
            if wrapped.key_ref in owned:
                items.setdefault(place, (wrapped, key.context))
    rewrapped = target.rewrap_many([*items.values()])
    for place, each in zip(items, rewrapped, strict=True):
        new[place] = each
    return new


def _may_be_wrapped(new: Wrapped) -> bool:
    """Return whether opening and wrapping the key may help where rewrapping did not."""
    return not isinstance(new, WrappedKey | KeyUnavailable | KeyAccessDenied)


def _open_and_wrap(
    keyring: Keyring, target: KeyWrapper, keys: Sequence[ClosedKey]
) -> list[Wrapped]:
    opened = keyring.unwrap_many(keys)
    items = [
        (each, key.context)
        for each, key in zip(opened, keys, strict=True)
        if isinstance(each, DataKey)
    ]
    try:
        wrapped = iter(target.wrap_many(items))
        return [next(wrapped) if isinstance(each, DataKey) else each for each in opened]
    finally:
        for key, _ in items:
            key.wipe()
