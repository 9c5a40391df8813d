"""Data keys get new wrappings in batches, and what befalls one of a batch befalls no other."""

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import DecryptionError, KeyProviderError, KeyUnavailable, UnknownKey
from backends.keyring import Keyring
from backends.local_fernet import LocalFernet
from backends.provider import KeyItems, WrappedItems, WrappedKey
from backends.renewal import HeldKey, Renewed, renew


class Batching(LocalFernet):
    """Counts what it is asked for.

    Attributes:
        asked: ``wrap``, ``unwrap`` and so on, each with the number of items where it takes many.
        seen: The data keys that it was given to wrap.
        down: What every call raises, for as long as it is set.
    """

    def __init__(self) -> None:
        super().__init__([os.urandom(32)])
        self.asked: list[tuple[str, int]] = []
        self.seen: list[DataKey] = []
        self.down: KeyProviderError | None = None

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


def hold(number: int, *owners: Batching) -> HeldKey:
    """A data key that each of these has wrapped."""
    context, key = KeyContext("dep_1", "acc_1", f"dk_{number}"), DataKey.random()
    wrappings = tuple(owner.wrap(key, context) for owner in owners)
    return HeldKey(context, key_check(key, context), wrappings)


def damaged(held: HeldKey) -> HeldKey:
    """The data key whose first wrapping was tampered with."""
    first, *others = held.wrappings
    return replace(held, wrappings=(replace(first, blob=first.blob[::-1]), *others))


def moved(held: Sequence[HeldKey], new: Batching, *others: Batching) -> list[Renewed]:
    keyring = Keyring([new, *others])
    return renew(keyring, keyring.targets[0], held)


def test_a_batch_is_opened_wrapped_and_proved_with_a_call_each(
    old: Batching, new: Batching
) -> None:
    held = [hold(number, old) for number in range(5)]
    answers = moved(held, new, old)
    assert [type(each) for each in answers] == [WrappedKey] * 5
    assert (old.asked, new.asked) == ([("unwrap", 5)], [("wrap", 5), ("unwrap", 5)])


def test_each_provider_opens_those_for_which_it_comes_first(
    old: Batching, older: Batching, new: Batching
) -> None:
    held = [hold(1, old), hold(2, older), hold(3, older, old), hold(4, older)]
    answers = moved(held, new, old, older)
    assert [type(each) for each in answers] == [WrappedKey] * 4
    assert (old.asked, older.asked) == ([("unwrap", 2)], [("unwrap", 2)])


def test_every_new_wrapping_opens_to_its_own_data_key(old: Batching, new: Batching) -> None:
    held = [hold(number, old) for number in range(3)]
    for each, answer in zip(held, moved(held, new, old), strict=True):
        assert isinstance(answer, WrappedKey)
        assert key_check(new.unwrap(answer, each.context), each.context) == each.check


def test_one_that_was_tampered_with_fails_alone(old: Batching, new: Batching) -> None:
    answers = moved([hold(1, old), damaged(hold(2, old)), hold(3, old)], new, old)
    assert [type(each) for each in answers] == [WrappedKey, DecryptionError, WrappedKey]


def test_one_that_nobody_owns_fails_alone(old: Batching, older: Batching, new: Batching) -> None:
    answers = moved([hold(1, old), hold(2, older), hold(3, old)], new, old)
    assert [type(each) for each in answers] == [WrappedKey, UnknownKey, WrappedKey]


def test_one_that_holds_another_key_than_its_check_tells_fails_alone(
    old: Batching, new: Batching
) -> None:
    swapped = replace(hold(2, old), check=hold(3, old).check)
    answers = moved([hold(1, old), swapped], new, old)
    assert [type(each) for each in answers] == [WrappedKey, DecryptionError]


def test_tampering_is_not_passed_over_where_another_wrapping_opens(
    old: Batching, older: Batching, new: Batching
) -> None:
    answers = moved([damaged(hold(1, old, older))], new, old, older)
    assert [type(each) for each in answers] == [DecryptionError]


def test_what_the_first_owner_cannot_open_now_is_opened_by_the_next(
    old: Batching, older: Batching, new: Batching
) -> None:
    held = [hold(number, old, older) for number in range(3)]
    old.down = KeyUnavailable("The provider is down.")
    answers = moved(held, new, old, older)
    assert [type(each) for each in answers] == [WrappedKey] * 3


def test_the_data_keys_are_wiped_afterwards(old: Batching, new: Batching) -> None:
    moved([hold(number, old) for number in range(3)], new, old)
    assert new.seen == [DataKey(bytes(32))] * 3
