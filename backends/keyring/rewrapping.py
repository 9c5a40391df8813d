"""New wrappings for data keys that exist, each proved to open to the same key before it is given.

A provider that wrapped a key before is asked to rewrap it: KMS and Vault then never show the key.
Where it did not, or cannot, the key is unwrapped by whoever can and wrapped anew.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import sleep
from typing import TypeVar

from backends.context import KeyContext
from backends.data_key import DataKey, verify_key
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.bounded_provider import BoundedProvider
from backends.keyring.keyring import Keyring
from backends.provider import KeyProvider, KeyWrapper, WrappedKey

BATCH_SECONDS = 120.0  # of 200: 0.6 s each where they are asked for one by one
THROTTLED_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds, or what the provider itself asks for

Item = TypeVar("Item")
T = TypeVar("T")
Renewed = WrappedKey | KeyProviderError
Opened = DataKey | KeyProviderError


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


def renew(
    keyring: Keyring, target: BoundedProvider[KeyWrapper], held: Sequence[HeldKey]
) -> list[Renewed]:
    """A new wrapping by ``target`` for each data key, in order, or the reason why there is none.

    What an escrow key wraps cannot be opened here: it is made from a key that was verified.
    """
    provider = target.provider
    if not isinstance(provider, KeyProvider):
        return _wrap_anew(keyring, target, held)
    rewrapped = _rewrap(target, provider, held)
    others = [key for key, answer in zip(held, rewrapped, strict=True) if _may_wrap_anew(answer)]
    anew = iter(_wrap_anew(keyring, target, others))
    renewed = [next(anew) if _may_wrap_anew(answer) else answer for answer in rewrapped]
    return _proved(target, provider, held, renewed)


def _may_wrap_anew(answer: Renewed) -> bool:
    """Whether opening the key to wrap it anew may help where rewrapping did not.

    It does not where the provider is down, or throttles: it would be asked for three things instead
    of one. Nor is a key shown because the right to rewrap it is missing.
    """
    if isinstance(answer, WrappedKey):
        return False
    return not isinstance(answer, KeyUnavailable | KeyAccessDenied)


def open_many(keyring: Keyring, held: Sequence[HeldKey]) -> list[Opened]:
    """Each data key, verified, or the error that ``Keyring.unwrap`` would raise for it.

    A provider is asked at once for all that it would be asked for one by one.
    """
    openings = [_opening(keyring, each) for each in held]
    steps = [next(each) for each in openings]
    while attempts := {n: step for n, step in enumerate(steps) if isinstance(step, _Attempt)}:
        for place, answer in _attempted(attempts, held):
            steps[place] = openings[place].send(answer)
    return [step for step in steps if not isinstance(step, _Attempt)]


def _rewrap(
    target: BoundedProvider[KeyWrapper], provider: KeyProvider, held: Sequence[HeldKey]
) -> list[Renewed]:
    owned = [key.owned_by(provider) for key in held]
    items = [(own[0], key.context) for own, key in zip(owned, held, strict=True) if own]
    answers = iter(_batch(target, items, provider.rewrap_many))
    foreign = UnknownKey("The provider did not wrap this data key.")
    return [next(answers) if own else foreign for own in owned]


def _wrap_anew(
    keyring: Keyring, target: BoundedProvider[KeyWrapper], held: Sequence[HeldKey]
) -> list[Renewed]:
    opened = open_many(keyring, held)
    items = [
        (key, each.context)
        for key, each in zip(opened, held, strict=True)
        if isinstance(key, DataKey)
    ]
    try:
        wrapped = iter(_batch(target, items, target.provider.wrap_many))
        return [next(wrapped) if isinstance(key, DataKey) else key for key in opened]
    finally:
        for key, _ in items:
            key.wipe()


def _opening(keyring: Keyring, held: HeldKey) -> Generator["_Attempt | Opened", Opened, None]:
    """Whom to ask next, given the last answer, as long as there is someone; then the outcome."""
    failure: KeyProviderError = UnknownKey("No listed provider owns a wrapping of this data key.")
    for wrapped, owners in keyring.owners(held.wrappings):
        failures: list[KeyProviderError] = []
        for member in owners:
            answer = yield _Attempt(member, wrapped)
            if isinstance(answer, DataKey):
                yield _verified(answer, held)
                return
            failures.append(answer)
        others = [each for each in failures if not isinstance(each, DecryptionError)]
        failure = (others or failures)[0]
        if not others:  # nobody opens it: that it was tampered with is not passed over
            break
    yield failure


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Whom to ask to open which wrapping."""

    member: BoundedProvider[KeyProvider]
    wrapped: WrappedKey


def _attempted(
    attempts: Mapping[int, _Attempt], held: Sequence[HeldKey]
) -> Iterator[tuple[int, Opened]]:
    """The answers, by the place of the data key, with one batch for each provider."""
    places: dict[BoundedProvider[KeyProvider], list[int]] = defaultdict(list)
    for place, attempt in attempts.items():
        places[attempt.member].append(place)
    for member, asked in places.items():
        items = [(attempts[place].wrapped, held[place].context) for place in asked]
        yield from zip(asked, _batch(member, items, member.provider.unwrap_many), strict=True)


def _verified(key: DataKey, held: HeldKey) -> Opened:
    try:
        verify_key(key, held.context, held.check)
    except DecryptionError as error:
        key.wipe()
        return error
    return key


def wrap_opened(
    target: BoundedProvider[KeyWrapper], opened: Sequence[tuple[DataKey, HeldKey]]
) -> list[Renewed]:
    """A proved wrapping by ``target`` for each data key that is open, in order, or why not."""
    items = [(key, held.context) for key, held in opened]
    wrapped = _batch(target, items, target.provider.wrap_many)
    return proved(target, [held for _, held in opened], wrapped)


def proved(
    target: BoundedProvider[KeyWrapper], held: Sequence[HeldKey], wrapped: Sequence[Renewed]
) -> list[Renewed]:
    """Each wrapping by ``target`` that opens to its data key; else why it does not.

    What only wraps is taken at its word.
    """
    provider = target.provider
    if not isinstance(provider, KeyProvider):
        return list(wrapped)
    return _proved(target, provider, held, wrapped)


def _proved(
    target: BoundedProvider[KeyWrapper],
    provider: KeyProvider,
    held: Sequence[HeldKey],
    renewed: Sequence[Renewed],
) -> list[Renewed]:
    items = [
        (answer, key.context)
        for answer, key in zip(renewed, held, strict=True)
        if isinstance(answer, WrappedKey)
    ]
    opened = iter(_batch(target, items, provider.unwrap_many))
    return [
        _prove(answer, next(opened), key) if isinstance(answer, WrappedKey) else answer
        for answer, key in zip(renewed, held, strict=True)
    ]


def _prove(wrapped: WrappedKey, opened: Opened, held: HeldKey) -> Renewed:
    if isinstance(opened, KeyProviderError):
        return opened
    verified = _verified(opened, held)
    opened.wipe()
    return verified if isinstance(verified, KeyProviderError) else wrapped


def _batch(
    member: BoundedProvider[KeyWrapper],
    items: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[T | KeyProviderError]],
) -> list[T | KeyProviderError]:
    """The answers of a batch; what was throttled is asked for again, after growing pauses."""
    answers = _ask(member, items, ask)
    for pause in THROTTLED_PAUSES:
        throttled = {
            place: answer.retry_after
            for place, answer in enumerate(answers)
            if isinstance(answer, KeyUnavailable) and answer.throttled
        }
        if not throttled:
            break
        sleep(max(pause, *throttled.values()))
        again = _ask(member, [items[place] for place in throttled], ask)
        for place, answer in zip(throttled, again, strict=True):
            answers[place] = answer
    return answers


def _ask(
    member: BoundedProvider[KeyWrapper],
    items: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[T | KeyProviderError]],
) -> list[T | KeyProviderError]:
    """The answers of a batch; where the whole call failed, its error for each item."""
    if not items:
        return []
    try:
        return member.call(partial(ask, items), seconds=BATCH_SECONDS)
    except KeyProviderError as error:
        return [error] * len(items)
