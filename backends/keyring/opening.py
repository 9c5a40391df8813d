"""Opens data keys by their wrappings, in one way for one key and for many.

Each data key has a course: which provider to ask for which wrapping, given the results so far. A
course is a generator. It yields attempts, is sent the result of each, and at last yields the
verified key or the error that stands for it. Many keys advance together, in rounds. A round joins
the attempts at one provider into one call, so a provider is asked once for all keys that it owns.

::

    key 1   A ──▶ opened
    key 2   A ──▶ KeyUnavailable   B ──▶ opened
    key 3                          B ──▶ DecryptionError, the outcome
            └ round 1: A is asked  └ round 2: B is asked for keys 2 and 3

The order of a course: providers as they are listed, and of each the wrappings that it owns. Each
wrapping is tried with all its owners before the next one. A failure moves on to the next wrapping,
with one exception: a wrapping that none of its owners can open was tampered with, and that is never
passed over.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from backends.context import KeyContext
from backends.data_key import DataKey, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.provider import KeyProvider, KeyWrapper, WrappedItems, WrappedKey, or_error

Opened = DataKey | KeyProviderError
Ask = Callable[[KeyProvider, WrappedItems], list[Opened]]


@dataclass(frozen=True, slots=True)
class ClosedKey:
    """A data key before it is opened.

    Attributes:
        context: The key's own.
        check: What ``key_check`` returned when the key was made.
        wrappings: All of them.
    """

    context: KeyContext
    check: bytes
    wrappings: tuple[WrappedKey, ...]

    def owned_by(self, provider: KeyWrapper) -> tuple[WrappedKey, ...]:
        """The wrappings that ``provider`` could open: none, where it can only wrap."""
        return tuple(each for each in self.wrappings if provider.owns(each.key_ref))


def ask_for_one(provider: KeyProvider, items: WrappedItems) -> list[Opened]:
    """Ask for each item by a call of its own, as a request does for its one key."""
    return [or_error(partial(provider.unwrap, *item)) for item in items]


def ask_for_many(provider: KeyProvider, items: WrappedItems) -> list[Opened]:
    """Ask for all items together."""
    return provider.unwrap_many(items)


def open_keys(
    providers: Sequence[KeyProvider], keys: Sequence[ClosedKey], ask: Ask
) -> list[Opened]:
    """Open each data key and verify it. Returns keys, or the errors that stand for them, in order.

    Such an error is:
        DecryptionError: A wrapping was tampered with, or holds another key.
        UnknownKey: No provider owns a wrapping.
        KeyProviderError: The last provider's, when none that owns a wrapping could open it.
    """
    courses = [_course(providers, key) for key in keys]
    steps = [next(course) for course in courses]
    while due := {n: step for n, step in enumerate(steps) if isinstance(step, _Attempt)}:
        for place, opened in _round(due, keys, ask):
            steps[place] = courses[place].send(opened)
    return [step for step in steps if not isinstance(step, _Attempt)]


def owners_of(
    providers: Sequence[KeyProvider], wrappings: Iterable[WrappedKey]
) -> Iterator[tuple[WrappedKey, tuple[KeyProvider, ...]]]:
    """Each wrapping that a provider owns, with all that do, in the order of asking them.

    It asks for owners as late as it can: some know what they own only once they were asked.
    """
    remaining = list(wrappings)
    for provider in providers:
        for wrapped in [each for each in remaining if provider.owns(each.key_ref)]:
            remaining.remove(wrapped)
            yield (
                wrapped,
                tuple(each for each in providers if each is provider or each.owns(wrapped.key_ref)),
            )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A provider to ask, and the wrapping that it is to open."""

    provider: KeyProvider
    wrapped: WrappedKey


def _course(
    providers: Sequence[KeyProvider], key: ClosedKey
) -> Generator["_Attempt | Opened", Opened, None]:
    failure: KeyProviderError = UnknownKey("No listed provider owns a wrapping of this data key.")
    for wrapped, owners in owners_of(providers, key.wrappings):
        failures: list[KeyProviderError] = []
        for provider in owners:
            opened = yield _Attempt(provider, wrapped)
            if isinstance(opened, DataKey):
                yield _verified(opened, key)
                return
            failures.append(opened)
        others = [each for each in failures if not isinstance(each, DecryptionError)]
        failure = (others or failures)[0]
        if not others:
            break
    yield failure


def _round(
    due: Mapping[int, _Attempt], keys: Sequence[ClosedKey], ask: Ask
) -> Iterator[tuple[int, Opened]]:
    """Make the attempts that are due. Yields their results, by the place of the data key."""
    places: dict[KeyProvider, list[int]] = defaultdict(list)
    for place, attempt in due.items():
        places[attempt.provider].append(place)
    for provider, asked in places.items():
        items = [(due[place].wrapped, keys[place].context) for place in asked]
        yield from zip(asked, ask(provider, items), strict=True)


def _verified(opened: DataKey, key: ClosedKey) -> Opened:
    try:
        verify_key(opened, key.context, key.check)
    except DecryptionError as error:
        opened.wipe()
        return error
    return opened
