"""Data keys get new wrappings in batches, and what befalls one of a batch befalls no other."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring import bounded_provider
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import Wrapped
from backends.keyring.rewrapping import rewrap
from backends.local_fernet import LocalFernet
from backends.provider import KeyItems, WrappedItems, WrappedKey, or_error


class Batching(LocalFernet):
    """Counts what it is asked for.

    Attributes:
        asked: ``wrap``, ``unwrap`` and so on, each with the number of items where it takes many.
        seen: The data keys that it was given to wrap.
        down: What opening raises, for as long as it is set.
        refusals: What the next batches to rewrap are answered with, one for each of their items;
            once there are none left, they are rewrapped.
    """

    def __init__(self, master_key: bytes | None = None) -> None:
        super().__init__([master_key or os.urandom(32)])
        self.asked: list[tuple[str, int]] = []
        self.seen: list[DataKey] = []
        self.down: KeyProviderError | None = None
        self.refusals: list[KeyProviderError] = []

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        self.asked.append(("rewrap", len(items)))
        refused = [self.refusals.pop(0) for _ in items if self.refusals]
        return [*refused, *super().rewrap_many(items[len(refused) :])]

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        self.asked.append(("wrap", len(items)))
        self.seen += [key for key, _ in items]
        return super().wrap_many(items)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        if self.down is not None:
            raise self.down
        return super().unwrap(wrapped, context)

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        self.asked.append(("unwrap", len(items)))
        return super().unwrap_many(items)


@pytest.fixture
def old() -> Batching:
    return Batching()


@pytest.fixture
def older() -> Batching:
    return Batching()


@pytest.fixture
def new() -> Batching:
    return Batching()


def closed(number: int, *owners: Batching) -> ClosedKey:
    """A data key that each of these has wrapped."""
    context, key = KeyContext("dep_1", "acc_1", f"dk_{number}"), DataKey.random()
    wrappings = tuple(owner.wrap(key, context) for owner in owners)
    return ClosedKey(context, key_check(key, context), wrappings)


def damaged(keys: ClosedKey) -> ClosedKey:
    """The data key whose first wrapping was tampered with."""
    first, *others = keys.wrappings
    return replace(keys, wrappings=(replace(first, blob=first.blob[::-1]), *others))


def moved(keys: Sequence[ClosedKey], new: Batching, *others: Batching) -> list[Wrapped]:
    keyring = Keyring([new, *others])
    return rewrap(keyring, keyring.targets[0], keys)


def test_a_batch_is_opened_wrapped_and_proved_with_a_call_each(
    old: Batching, new: Batching
) -> None:
    keys = [closed(number, old) for number in range(5)]
    answers = moved(keys, new, old)
    assert [type(each) for each in answers] == [WrappedKey] * 5
    assert (old.asked, new.asked) == ([("unwrap", 5)], [("wrap", 5), ("unwrap", 5)])


def test_each_provider_opens_those_for_which_it_comes_first(
    old: Batching, older: Batching, new: Batching
) -> None:
    keys = [closed(1, old), closed(2, older), closed(3, older, old), closed(4, older)]
    answers = moved(keys, new, old, older)
    assert [type(each) for each in answers] == [WrappedKey] * 4
    assert (old.asked, older.asked) == ([("unwrap", 2)], [("unwrap", 2)])


def test_every_new_wrapping_opens_to_its_own_data_key(old: Batching, new: Batching) -> None:
    keys = [closed(number, old) for number in range(3)]
    for each, answer in zip(keys, moved(keys, new, old), strict=True):
        assert isinstance(answer, WrappedKey)
        assert key_check(new.unwrap(answer, each.context), each.context) == each.check


def test_one_that_was_tampered_with_fails_alone(old: Batching, new: Batching) -> None:
    answers = moved([closed(1, old), damaged(closed(2, old)), closed(3, old)], new, old)
    assert [type(each) for each in answers] == [WrappedKey, DecryptionError, WrappedKey]


def test_one_that_nobody_owns_fails_alone(old: Batching, older: Batching, new: Batching) -> None:
    answers = moved([closed(1, old), closed(2, older), closed(3, old)], new, old)
    assert [type(each) for each in answers] == [WrappedKey, UnknownKey, WrappedKey]


def test_one_that_holds_another_key_than_its_check_tells_fails_alone(
    old: Batching, new: Batching
) -> None:
    swapped = replace(closed(2, old), check=closed(3, old).check)
    answers = moved([closed(1, old), swapped], new, old)
    assert [type(each) for each in answers] == [WrappedKey, DecryptionError]


def test_tampering_is_not_passed_over_where_another_wrapping_opens(
    old: Batching, older: Batching, new: Batching
) -> None:
    answers = moved([damaged(closed(1, old, older))], new, old, older)
    assert [type(each) for each in answers] == [DecryptionError]


def test_what_the_first_owner_cannot_open_now_is_opened_by_the_next(
    old: Batching, older: Batching, new: Batching
) -> None:
    keys = [closed(number, old, older) for number in range(3)]
    old.down = KeyUnavailable("The provider is down.")
    answers = moved(keys, new, old, older)
    assert [type(each) for each in answers] == [WrappedKey] * 3


def test_the_data_keys_are_wiped_afterwards(old: Batching, new: Batching) -> None:
    moved([closed(number, old) for number in range(3)], new, old)
    assert new.seen == [DataKey(bytes(32))] * 3


@pytest.mark.parametrize(
    "refusal",
    [KeyUnavailable("It is down."), KeyAccessDenied("It may not rewrap.")],
    ids=["unavailable", "denied"],
)
def test_a_key_that_its_own_provider_may_not_rewrap_now_is_not_shown_instead(
    old: Batching, new: Batching, refusal: KeyProviderError
) -> None:
    keys = [closed(number, new, old) for number in range(3)]
    new.refusals = [refusal] * 3
    assert moved(keys, new, old) == [refusal] * 3
    assert (new.asked, old.asked) == ([("rewrap", 3)], [])


def test_a_key_that_its_own_provider_cannot_rewrap_is_opened_and_wrapped_anew(
    old: Batching, new: Batching
) -> None:
    keys = [closed(number, new, old) for number in range(3)]
    new.refusals = [KeyDisabled("That version is switched off.")]
    answers = moved(keys, new, old)
    assert [type(each) for each in answers] == [WrappedKey] * 3
    assert new.asked == [("rewrap", 3), ("unwrap", 1), ("wrap", 1), ("unwrap", 3)]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds waited, by a clock that takes no time."""
    slept: list[float] = []
    monkeypatch.setattr(bounded_provider, "sleep", slept.append)
    return slept


def throttling(retry_after: int = 1) -> KeyUnavailable:
    return KeyUnavailable("It is throttled.", retry_after=retry_after, throttled=True)


def test_what_was_throttled_is_asked_for_again_after_pauses_that_grow(
    new: Batching, pauses: list[float]
) -> None:
    new.refusals = [throttling()] * (3 + 3 + 2)
    answers = moved([closed(number, new) for number in range(3)], new)
    assert [type(each) for each in answers] == [WrappedKey] * 3
    assert new.asked == [("rewrap", 3), ("rewrap", 3), ("rewrap", 3), ("rewrap", 2), ("unwrap", 3)]
    assert pauses == [1, 2, 4]


def test_a_provider_is_left_alone_for_as_long_as_it_asks_for(
    new: Batching, pauses: list[float]
) -> None:
    new.refusals = [throttling(3), throttling(30)]
    moved([closed(number, new) for number in range(2)], new)
    assert pauses == [30]


def test_what_stays_throttled_is_given_up(new: Batching, pauses: list[float]) -> None:
    new.refusals = [throttling()] * 50
    answers = moved([closed(1, new)], new)
    assert [type(each) for each in answers] == [KeyUnavailable]
    assert pauses == [1, 2, 4, 8, 16]


def test_a_provider_that_is_down_is_not_waited_for(new: Batching, pauses: list[float]) -> None:
    new.refusals = [KeyUnavailable("It is down.")]
    moved([closed(1, new)], new)
    assert pauses == []


def test_who_denies_is_asked_once_for_a_whole_batch(old: Batching, older: Batching) -> None:
    old.down = older.down = KeyAccessDenied("It is denied.")
    opened = Keyring([old, older]).unwrap_many([closed(number, old, older) for number in range(9)])
    assert [type(each) for each in opened] == [KeyAccessDenied] * 9
    assert (old.asked, older.asked) == ([("unwrap", 9)], [("unwrap", 9)])


DOWN = [None, KeyUnavailable("It is down."), KeyDisabled("It is disabled."), DecryptionError()]


@pytest.mark.parametrize("first_down", DOWN)
@pytest.mark.parametrize("second_down", DOWN)
def test_many_are_opened_just_as_each_of_them_is(
    older: Batching,
    new: Batching,
    first_down: KeyProviderError | None,
    second_down: KeyProviderError | None,
) -> None:
    master_key = os.urandom(32)
    old, shared = Batching(master_key), Batching(master_key)  # each opens what the other wrapped
    listed = [old, shared, older]
    owners = [(), (old,), (older,), (new,), (old, older), (older, new)]
    keys = [closed(number, *each) for number, each in enumerate(owners)]
    keys += [damaged(each) for each in keys if each.wrappings]
    keys += [replace(each, check=bytes(32)) for each in keys]
    old.down, older.down = first_down, second_down
    for shared.down in DOWN:
        expected = [or_error(partial(Keyring(listed).unwrap, each)) for each in keys]
        opened = Keyring(listed).unwrap_many(keys)
        assert [(type(each), str(each)) for each in opened] == [
            (type(each), str(each)) for each in expected
        ]
