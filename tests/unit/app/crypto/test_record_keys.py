"""Record keys are kept for what they were derived from, in a bounded number."""

from contextlib import AbstractContextManager

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.crypto import envelope as envelopes
from app.crypto.data_key_cache import DataKeyCache
from app.crypto.envelope import open_envelope, seal
from app.crypto.opened_key import OpenedKey
from app.crypto.record_keys import LIMIT_OF_A_DATA_KEY, RecordKeys, Room
from backends.context import KeyContext
from backends.data_key import DataKey, key_check

OWNER = KeyContext("dep_1", "acct_1", "dk_1")
KEY = DataKey(bytes(range(32)))
CHECK = key_check(KEY, OWNER)
CONTEXT = b"a context"
CIPHER = AESGCM(bytes(32))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> DataKeyCache:
    cache = DataKeyCache(max_keys=2, ttl_seconds=300, clock=clock)
    cache.put(OWNER, KEY)
    return cache


def lent(cache: DataKeyCache) -> AbstractContextManager[OpenedKey]:
    return cache.open(OWNER, CHECK, lambda: DataKey(KEY))


def record_keys_of(opened: OpenedKey) -> RecordKeys:
    assert opened.record_keys is not None
    return opened.record_keys


def kept(keys: RecordKeys, count: int) -> int:
    """The number of ``count`` ciphers of other origins that are cached."""
    origins = [b"origin %d" % number for number in range(count)]
    for origin in origins:
        keys.add(origin, CIPHER)
    return sum(keys.find(origin) is not None for origin in origins)


def test_what_was_opened_is_opened_again_without_deriving(
    cache: DataKeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = seal(KEY, b"value", CONTEXT)
    with lent(cache) as opened:
        open_envelope(opened.key, envelope, CONTEXT, opened.record_keys)
    monkeypatch.delattr(envelopes, "HKDF")
    with lent(cache) as opened:
        plaintext = open_envelope(opened.key, envelope, CONTEXT, opened.record_keys)
        assert bytes(plaintext) == b"value"


def test_a_record_key_goes_when_the_time_of_its_data_key_is_over(
    cache: DataKeyCache, clock: Clock
) -> None:
    with lent(cache) as opened:
        keys = record_keys_of(opened)
        keys.add(b"origin", CIPHER)
        clock.now += 300
        with lent(cache):
            assert keys.find(b"origin") is None


def test_a_record_key_goes_when_its_data_key_is_forgotten(cache: DataKeyCache) -> None:
    with lent(cache) as opened:
        keys = record_keys_of(opened)
        keys.add(b"origin", CIPHER)
        cache.forget(OWNER)
        assert keys.find(b"origin") is None


def test_what_is_derived_after_that_is_not_kept() -> None:
    keys = RecordKeys(Room())
    keys.drop()
    assert kept(keys, 1) == 0


def test_a_data_key_keeps_as_many_as_an_injection_needs() -> None:
    assert kept(RecordKeys(Room()), LIMIT_OF_A_DATA_KEY + 1) == LIMIT_OF_A_DATA_KEY


def test_all_data_keys_together_keep_as_many_as_there_is_room_for() -> None:
    room = Room(5)
    assert [kept(RecordKeys(room), 3), kept(RecordKeys(room), 3)] == [3, 2]


def test_what_is_kept_twice_takes_one_place() -> None:
    keys = RecordKeys(Room(2))
    keys.add(b"origin 0", CIPHER)
    assert kept(keys, 2) == 2


def test_a_data_key_that_goes_leaves_its_room_to_others() -> None:
    room = Room(3)
    first = RecordKeys(room)
    assert kept(first, 3) == 3
    first.drop()
    assert kept(RecordKeys(room), 3) == 3
