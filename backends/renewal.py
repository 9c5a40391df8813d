"""New wrappings for data keys that exist, each proved to open to the same key before it is given.

A provider that wrapped a key before is asked to rewrap it: KMS and Vault then never show the key.
Where it did not, or will not, the key is unwrapped by whoever can and wrapped anew.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from backends.context import KeyContext
from backends.data_key import DataKey, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring import Keyring
from backends.member import Member
from backends.provider import KeyProvider, KeyWrapper, WrappedKey, or_error

BATCH_SECONDS = 120.0  # of 200: 0.6 s each where they are asked for one by one

T = TypeVar("T")
Renewed = WrappedKey | KeyProviderError


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A data key that is known by its rows: context, check and all its wrappings."""

    context: KeyContext
    check: bytes
    wrappings: tuple[WrappedKey, ...]

    def owned_by(self, provider: KeyWrapper) -> tuple[WrappedKey, ...]:
        """The wrappings that ``provider`` could open: none, where it can only wrap."""
        if not isinstance(provider, KeyProvider):
            return ()
        return tuple(each for each in self.wrappings if provider.owns(each.key_ref))


def renew(keyring: Keyring, target: Member[KeyWrapper], held: Sequence[HeldKey]) -> list[Renewed]:
    """A new wrapping by ``target`` for each data key, in order, or the reason why there is none.

    What an escrow key wraps cannot be opened here: it is made from a key that was verified.
    """
    provider = target.provider
    if not isinstance(provider, KeyProvider):
        return _wrap_anew(keyring, target, held)
    rewrapped = _rewrap(target, provider, held)
    others = [
        key
        for key, answer in zip(held, rewrapped, strict=True)
        if isinstance(answer, KeyProviderError)
    ]
    anew = iter(_wrap_anew(keyring, target, others))
    renewed = [answer if isinstance(answer, WrappedKey) else next(anew) for answer in rewrapped]
    return _proved(target, provider, held, renewed)


def _rewrap(
    target: Member[KeyWrapper], provider: KeyProvider, held: Sequence[HeldKey]
) -> list[Renewed]:
    owned = [key.owned_by(provider) for key in held]
    items = [(own[0], key.context) for own, key in zip(owned, held, strict=True) if own]
    answers = iter(_batch(target, len(items), lambda: provider.rewrap_many(items)))
    foreign = UnknownKey("The provider did not wrap this data key.")
    return [next(answers) if own else foreign for own in owned]


def _wrap_anew(
    keyring: Keyring, target: Member[KeyWrapper], held: Sequence[HeldKey]
) -> list[Renewed]:
    opened = _opened(keyring, held)
    items = [
        (key, each.context)
        for key, each in zip(opened, held, strict=True)
        if isinstance(key, DataKey)
    ]
    try:
        wrapped = iter(_batch(target, len(items), lambda: target.provider.wrap_many(items)))
        return [next(wrapped) if isinstance(key, DataKey) else key for key in opened]
    finally:
        for key, _ in items:
            key.wipe()


def _opened(keyring: Keyring, held: Sequence[HeldKey]) -> list[DataKey | KeyProviderError]:
    """Each data key, verified, or the reason why it could not be opened.

    What the provider that comes first opens, in a batch, is what the keyring would have got from
    it; all that does not go so well is left to the keyring, one by one.
    """
    opened = _opened_by_the_first(keyring, held)
    return [
        opened[place] if place in opened else or_error(partial(_open, keyring, each))
        for place, each in enumerate(held)
    ]


def _open(keyring: Keyring, held: HeldKey) -> DataKey:
    return keyring.unwrap(held.wrappings, held.context, held.check)


def _opened_by_the_first(keyring: Keyring, held: Sequence[HeldKey]) -> dict[int, DataKey]:
    """Those that were opened and are verified, by their place."""
    batches: dict[Member[KeyProvider], dict[int, WrappedKey]] = defaultdict(dict)
    for place, each in enumerate(held):
        first = keyring.first_owner(each.wrappings)
        if first is not None:
            member, wrapped = first
            batches[member][place] = wrapped
    answers: dict[int, DataKey | KeyProviderError] = {}
    for member, batch in batches.items():
        items = [(wrapped, held[place].context) for place, wrapped in batch.items()]
        unwrap = partial(member.provider.unwrap_many, items)
        answers |= zip(batch, _batch(member, len(items), unwrap), strict=True)
    return {
        place: answer
        for place, answer in answers.items()
        if isinstance(answer, DataKey) and _is_right(answer, held[place])
    }


def _is_right(key: DataKey, held: HeldKey) -> bool:
    try:
        verify_key(key, held.context, held.check)
    except DecryptionError:
        key.wipe()
        return False
    return True


def wrap_opened(
    target: Member[KeyWrapper], opened: Sequence[tuple[DataKey, HeldKey]]
) -> list[Renewed]:
    """A proved wrapping by ``target`` for each data key that is open, in order, or why not."""
    items = [(key, held.context) for key, held in opened]
    wrapped = _batch(target, len(items), lambda: target.provider.wrap_many(items))
    return proved(target, [held for _, held in opened], wrapped)


def proved(
    target: Member[KeyWrapper], held: Sequence[HeldKey], wrapped: Sequence[Renewed]
) -> list[Renewed]:
    """Each wrapping by ``target`` that opens to its data key; else why it does not.

    What only wraps is taken at its word.
    """
    provider = target.provider
    if not isinstance(provider, KeyProvider):
        return list(wrapped)
    return _proved(target, provider, held, wrapped)


def _proved(
    target: Member[KeyWrapper],
    provider: KeyProvider,
    held: Sequence[HeldKey],
    renewed: Sequence[Renewed],
) -> list[Renewed]:
    items = [
        (answer, key.context)
        for answer, key in zip(renewed, held, strict=True)
        if isinstance(answer, WrappedKey)
    ]
    opened = iter(_batch(target, len(items), lambda: provider.unwrap_many(items)))
    return [
        _prove(answer, next(opened), key) if isinstance(answer, WrappedKey) else answer
        for answer, key in zip(renewed, held, strict=True)
    ]


def _prove(wrapped: WrappedKey, opened: DataKey | KeyProviderError, held: HeldKey) -> Renewed:
    if isinstance(opened, KeyProviderError):
        return opened
    try:
        verify_key(opened, held.context, held.check)
    except DecryptionError as error:
        return error
    finally:
        opened.wipe()
    return wrapped


def _batch(
    member: Member[KeyWrapper], size: int, call: Callable[[], list[T | KeyProviderError]]
) -> list[T | KeyProviderError]:
    """The answers of a batch; where the whole call failed, its error for each item."""
    if not size:
        return []
    try:
        return member.call(call, seconds=BATCH_SECONDS)
    except KeyProviderError as error:
        return [error] * size
