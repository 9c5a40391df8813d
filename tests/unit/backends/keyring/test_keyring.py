"""The keyring: the first provider and the escrow keys wrap, every provider may unwrap."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.local_fernet import LocalFernet
from backends.provider import KeyWrapper, WrappedKey
from backends.recovery.keys import RecoveryPrivateKey
from backends.recovery.provider import Recovery

CONTEXT = KeyContext("dep_1", "acc_1", "dk_1")
DEADLINE = 10
OUTAGES = [
    KeyUnavailable("down"),
    KeyAccessDenied("denied"),
    KeyDisabled("disabled"),
    UnknownKey("gone"),
    KeyProviderConfigError("misconfigured"),
]


class Scripted(LocalFernet):
    """A local provider that fails as told and keeps what it was asked to unwrap and gave out."""

    def __init__(self, masters: Sequence[bytes], error: KeyProviderError | None = None) -> None:
        super().__init__(masters)
        self.error = error
        self.asked: list[WrappedKey] = []
        self.generated: list[DataKey] = []

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        if self.error:
            raise self.error
        self.generated.append(key)
        return super().wrap(key, context)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        self.asked.append(wrapped)
        if self.error:
            raise self.error
        return super().unwrap(wrapped, context)


class Held(LocalFernet):
    """A remote provider that answers only when the test lets it."""

    remote = True

    def __init__(self) -> None:
        super().__init__([os.urandom(32)])
        self.asked = threading.Event()
        self.release = threading.Event()

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        self.asked.set()
        assert self.release.wait(DEADLINE)
        return super().wrap(key, context)


@pytest.fixture
def key() -> DataKey:
    return DataKey.random()


@pytest.fixture
def first() -> Scripted:
    return Scripted([os.urandom(32)])


@pytest.fixture
def second() -> Scripted:
    return Scripted([os.urandom(32)])


def twin(provider: LocalFernet, error: KeyProviderError | None = None) -> Scripted:
    """Another provider on the same root key, so that both own a wrapping."""
    return Scripted(list(provider._masters.values()), error)


def unwrap(keyring: Keyring, wrappings: Sequence[WrappedKey], key: DataKey) -> DataKey:
    return keyring.unwrap(ClosedKey(CONTEXT, key_check(key, CONTEXT), tuple(wrappings)))


def both(first: KeyWrapper, second: KeyWrapper, key: DataKey) -> list[WrappedKey]:
    return [first.wrap(key, CONTEXT), second.wrap(key, CONTEXT)]


def test_the_first_provider_wraps_and_no_other(first: Scripted, second: Scripted) -> None:
    _, wrappings = Keyring([first, second]).generate(CONTEXT)
    assert [each.key_ref for each in wrappings] == [first.status().key_ref]


def test_every_escrow_key_wraps_too(first: Scripted, second: Scripted) -> None:
    recovery = Recovery(RecoveryPrivateKey.generate().public_key)
    _, wrappings = Keyring([first], [second, recovery]).generate(CONTEXT)
    expected = [each.status().key_ref for each in (first, second, recovery)]
    assert [each.key_ref for each in wrappings] == expected


def test_each_wrapping_holds_the_generated_key(first: Scripted, second: Scripted) -> None:
    key, wrappings = Keyring([first], [second]).generate(CONTEXT)
    opened = [p.unwrap(w, CONTEXT) for p, w in zip((first, second), wrappings, strict=True)]
    assert opened == [key, key]


def test_a_root_key_that_is_listed_twice_wraps_once(first: Scripted, second: Scripted) -> None:
    keyring = Keyring([first], [second, twin(first)])
    _, wrappings = keyring.generate(CONTEXT)
    expected = [first.status().key_ref, second.status().key_ref]
    assert [each.key_ref for each in wrappings] == expected


def test_no_key_is_made_while_the_first_provider_is_down(first: Scripted, second: Scripted) -> None:
    first.error = KeyUnavailable("down")
    with pytest.raises(KeyUnavailable):
        Keyring([first, second]).generate(CONTEXT)


def test_no_key_is_made_while_an_escrow_key_is_down(first: Scripted, second: Scripted) -> None:
    second.error = KeyUnavailable("down")
    with pytest.raises(KeyUnavailable):
        Keyring([first], [second]).generate(CONTEXT)


def test_a_key_that_escrow_did_not_wrap_is_wiped(first: Scripted, second: Scripted) -> None:
    second.error = KeyUnavailable("down")
    with pytest.raises(KeyUnavailable):
        Keyring([first], [second]).generate(CONTEXT)
    assert first.generated == [bytearray(32)]


def test_any_listed_provider_opens_what_it_owns(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    assert unwrap(Keyring([first, second]), [second.wrap(key, CONTEXT)], key) == key


def test_the_order_of_the_keyring_decides_who_is_asked(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    unwrap(Keyring([second, first]), both(first, second, key), key)
    assert (len(first.asked), len(second.asked)) == (0, 1)


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_every_failure_but_tampering_moves_on_to_the_next_wrapping(
    first: Scripted, second: Scripted, key: DataKey, error: KeyProviderError
) -> None:
    wrappings = both(first, second, key)
    first.error = error
    assert unwrap(Keyring([first, second]), wrappings, key) == key


def test_tampering_stops_the_search(first: Scripted, second: Scripted, key: DataKey) -> None:
    wrappings = both(first, second, key)
    first.error = DecryptionError()
    with pytest.raises(DecryptionError):
        unwrap(Keyring([first, second]), wrappings, key)
    assert second.asked == []


def test_all_owners_of_a_wrapping_are_tried_before_it_counts_as_tampered(
    first: Scripted, key: DataKey
) -> None:
    wrapped = first.wrap(key, CONTEXT)
    keyring = Keyring([twin(first, DecryptionError()), first])
    assert unwrap(keyring, [wrapped], key) == key


def test_a_wrapping_that_all_owners_refuse_is_tampered(first: Scripted, key: DataKey) -> None:
    wrapped = first.wrap(key, CONTEXT)
    keyring = Keyring([twin(first, DecryptionError()), twin(first, DecryptionError())])
    with pytest.raises(DecryptionError):
        unwrap(keyring, [wrapped], key)


def test_a_wrapping_that_one_owner_refuses_and_one_cannot_try_is_not_yet_tampered(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    wrappings = both(first, second, key)
    owners = [twin(first, DecryptionError()), twin(first, KeyUnavailable("down"))]
    assert unwrap(Keyring([*owners, second]), wrappings, key) == key


def test_when_all_are_down_the_error_says_so(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    wrappings = both(first, second, key)
    first.error, second.error = KeyDisabled("disabled"), KeyUnavailable("down")
    with pytest.raises(KeyUnavailable):
        unwrap(Keyring([first, second]), wrappings, key)


def test_a_wrapping_that_nobody_owns_is_unknown(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    with pytest.raises(UnknownKey):
        unwrap(Keyring([first]), [second.wrap(key, CONTEXT)], key)


def test_a_data_key_without_a_wrapping_is_unknown(first: Scripted, key: DataKey) -> None:
    with pytest.raises(UnknownKey):
        unwrap(Keyring([first]), [], key)


def test_a_wrapping_that_nobody_owns_hides_no_other(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    assert unwrap(Keyring([second]), both(first, second, key), key) == key


def test_an_escrow_key_is_not_asked_to_unwrap(
    first: Scripted, second: Scripted, key: DataKey
) -> None:
    with pytest.raises(UnknownKey):
        unwrap(Keyring([first], [second]), [second.wrap(key, CONTEXT)], key)
    assert second.asked == []


def test_a_wrapping_of_another_key_is_refused_by_the_check(first: Scripted, key: DataKey) -> None:
    planted = first.wrap(DataKey.random(), CONTEXT)
    with pytest.raises(DecryptionError):
        unwrap(Keyring([first]), [planted], key)


def test_the_keyring_owns_what_a_provider_owns(first: Scripted, second: Scripted) -> None:
    keyring = Keyring([first], [second])
    refs = [str(each.status().key_ref) for each in (first, second)]
    assert [keyring.owns(ref) for ref in refs] == [True, False]


def test_more_waiting_threads_than_allowed_are_refused_at_once() -> None:
    held = Held()
    keyring = Keyring([held], concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(keyring.generate, CONTEXT)
        assert held.asked.wait(DEADLINE)
        with pytest.raises(KeyUnavailable):
            keyring.generate(CONTEXT)
        held.release.set()
        waiting.result(DEADLINE)
    keyring.close()
