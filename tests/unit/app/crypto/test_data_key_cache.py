"""The cache of unwrapped data keys."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.crypto.data_key_cache import DataKeyCache
from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import DecryptionError, KeyUnavailable
from backends.lifetime import AgeClock

CONTEXT = KeyContext("dep_1", "acc_1", "dk_1")
KEY = bytes(range(32))
CHECK = key_check(DataKey(KEY), CONTEXT)
DEADLINE = 10


class Clock:
    """A clock that a test moves; counts how often it was read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._reads = 0
        self._changed = threading.Condition()

    def __call__(self) -> float:
        with self._changed:
            self._reads += 1
            self._changed.notify_all()
        return self.now

    def wait_for_reads(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._reads >= count, DEADLINE)


class Loader:
    """Unwraps by giving ``key`` out, or by raising ``error``; counts its calls."""

    def __init__(self, key: bytes = KEY, error: Exception | None = None) -> None:
        self.key = key
        self.error = error
        self.calls = 0

    def __call__(self) -> DataKey:
        self.calls += 1
        if self.error:
            raise self.error
        return DataKey(self.key)


class HeldLoader(Loader):
    """A loader that returns only when the test lets it."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(error=error)
        self.started = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> DataKey:
        self.started.set()
        assert self.release.wait(DEADLINE)
        return super().__call__()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> DataKeyCache:
    return DataKeyCache(max_keys=3, ttl_seconds=300, clock=clock)


def borrow(
    cache: DataKeyCache, load: Callable[[], DataKey], context: KeyContext = CONTEXT
) -> bytes:
    with cache.open(context, key_check(DataKey(KEY), context), load) as opened:
        return bytes(opened.key)


def contexts(count: int) -> list[KeyContext]:
    return [CONTEXT._replace(data_key_id=f"dk_{n}") for n in range(count)]


def test_a_miss_lends_what_was_loaded(cache: DataKeyCache) -> None:
    assert borrow(cache, Loader()) == KEY


def test_a_hit_loads_nothing(cache: DataKeyCache) -> None:
    load = Loader()
    assert [borrow(cache, load) for _ in range(5)] == [KEY] * 5
    assert load.calls == 1


def test_a_key_that_was_put_is_lent_without_loading(cache: DataKeyCache) -> None:
    load = Loader()
    cache.put(CONTEXT, DataKey(KEY))
    assert borrow(cache, load) == KEY
    assert load.calls == 0


def test_a_key_is_loaded_again_after_its_time(cache: DataKeyCache, clock: Clock) -> None:
    load = Loader()
    borrow(cache, load)
    clock.now += 300
    borrow(cache, load)
    assert load.calls == 2


def test_use_does_not_prolong_a_keys_time(cache: DataKeyCache, clock: Clock) -> None:
    load = Loader()
    for _ in range(4):
        borrow(cache, load)
        clock.now += 100
    assert load.calls == 2


def test_the_least_recently_used_key_goes_first(cache: DataKeyCache) -> None:
    load = Loader()
    first, second, third, fourth = contexts(4)
    for context in (first, second, third, first, fourth, first):
        borrow(cache, load, context)
    assert load.calls == 4
    borrow(cache, load, second)
    assert load.calls == 5


@pytest.mark.parametrize("field", ["deployment_id", "account_id", "data_key_id"])
def test_no_part_of_the_identity_is_left_out(cache: DataKeyCache, field: str) -> None:
    load = Loader()
    borrow(cache, load)
    borrow(cache, load, CONTEXT._replace(**{field: "other"}))
    assert load.calls == 2


def test_a_warm_key_is_refused_to_a_row_with_another_check(cache: DataKeyCache) -> None:
    borrow(cache, Loader())
    with pytest.raises(DecryptionError), cache.open(CONTEXT, bytes(32), Loader()):
        pass


def test_a_loaded_key_that_is_not_the_rows_is_refused(cache: DataKeyCache) -> None:
    with pytest.raises(DecryptionError):
        borrow(cache, Loader(bytes(32)))


def test_a_refused_key_is_not_kept(cache: DataKeyCache) -> None:
    with pytest.raises(DecryptionError):
        borrow(cache, Loader(bytes(32)))
    load = Loader()
    borrow(cache, load)
    assert load.calls == 1


def test_a_lent_copy_is_wiped_afterwards(cache: DataKeyCache) -> None:
    with cache.open(CONTEXT, CHECK, Loader()) as opened:
        pass
    assert bytes(opened.key) == bytes(32)


def test_a_lent_copy_is_wiped_when_its_use_fails(cache: DataKeyCache) -> None:
    lent: list[DataKey] = []

    def fail() -> None:
        with cache.open(CONTEXT, CHECK, Loader()) as opened:
            lent.append(opened.key)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert lent == [bytearray(32)]


def test_wiping_one_copy_leaves_the_next_whole(cache: DataKeyCache) -> None:
    with cache.open(CONTEXT, CHECK, Loader()) as opened:
        opened.key.wipe()
    assert borrow(cache, Loader()) == KEY


def test_what_is_put_stays_the_callers_own(cache: DataKeyCache) -> None:
    key = DataKey(KEY)
    cache.put(CONTEXT, key)
    key.wipe()
    assert borrow(cache, Loader()) == KEY


def test_a_key_in_use_survives_its_eviction(cache: DataKeyCache) -> None:
    with cache.open(CONTEXT, CHECK, Loader()) as opened:
        for context in contexts(10):
            borrow(cache, Loader(), context)
        cache.clear()
        assert bytes(opened.key) == KEY


def test_a_key_is_wiped_in_time_although_nobody_asks_for_any(
    cache: DataKeyCache, clock: Clock
) -> None:
    cache.put(CONTEXT, DataKey(KEY))
    kept = cache._keys[CONTEXT].key
    clock.now += 300
    cache.expire()
    assert bytes(kept) == bytes(32)


def test_a_key_whose_time_is_not_over_stays(cache: DataKeyCache, clock: Clock) -> None:
    load = Loader()
    borrow(cache, load)
    clock.now += 299
    cache.expire()
    borrow(cache, load)
    assert load.calls == 1


@pytest.mark.parametrize("ahead", ["boot", "wall"])
def test_a_keys_time_is_over_as_soon_as_either_clock_says_so(ahead: str) -> None:
    now = [1000.0]
    boot = (lambda: now[0]) if ahead == "boot" else (lambda: 0.0)
    wall = (lambda: round(now[0] * 1000)) if ahead == "wall" else (lambda: 0)
    cache = DataKeyCache(max_keys=3, ttl_seconds=300, clock=AgeClock(boot, wall))
    load = Loader()
    borrow(cache, load)
    now[0] += 300
    borrow(cache, load)
    assert load.calls == 2


@pytest.mark.parametrize("way", ["evicted", "expired", "replaced", "forgotten", "cleared"])
def test_a_key_that_leaves_is_wiped(cache: DataKeyCache, clock: Clock, way: str) -> None:
    cache.put(CONTEXT, DataKey(KEY))
    kept = cache._keys[CONTEXT].key
    if way == "evicted":
        for context in contexts(5)[2:]:
            cache.put(context, DataKey(KEY))
    elif way == "expired":
        clock.now += 301
        borrow(cache, Loader(), contexts(1)[0])
    elif way == "replaced":
        cache.put(CONTEXT, DataKey(KEY))
    elif way == "forgotten":
        cache.forget(CONTEXT)
    else:
        cache.clear()
    assert bytes(kept) == bytes(32)


def test_a_forgotten_key_is_loaded_again(cache: DataKeyCache) -> None:
    load = Loader()
    borrow(cache, load)
    cache.forget(CONTEXT)
    borrow(cache, load)
    assert load.calls == 2


def test_a_cleared_cache_loads_again(cache: DataKeyCache) -> None:
    load = Loader()
    borrow(cache, load)
    cache.clear()
    borrow(cache, load)
    assert load.calls == 2


@pytest.mark.parametrize("drop", [DataKeyCache.clear, lambda cache: cache.forget(CONTEXT)])
def test_a_key_dropped_while_it_loads_is_not_kept(
    cache: DataKeyCache, drop: Callable[[DataKeyCache], None]
) -> None:
    held, again = HeldLoader(), Loader()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(borrow, cache, held)
        assert held.started.wait(DEADLINE)
        drop(cache)
        held.release.set()
        assert first.result(DEADLINE) == KEY
    borrow(cache, again)
    assert again.calls == 1


def test_concurrent_misses_cost_one_load(cache: DataKeyCache, clock: Clock) -> None:
    held = HeldLoader()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(borrow, cache, held) for _ in range(16)]
        clock.wait_for_reads(16)
        held.release.set()
        assert [each.result(DEADLINE) for each in waiting] == [KEY] * 16
    assert held.calls == 1


def test_a_failed_load_fails_all_who_wait_for_it(cache: DataKeyCache, clock: Clock) -> None:
    held = HeldLoader(error=KeyUnavailable("The provider is down."))
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(borrow, cache, held) for _ in range(16)]
        clock.wait_for_reads(16)
        held.release.set()
        errors = [type(each.exception(DEADLINE)) for each in waiting]
    assert errors == [KeyUnavailable] * 16
    assert held.calls == 1


def test_a_failure_is_not_kept(cache: DataKeyCache) -> None:
    with pytest.raises(KeyUnavailable):
        borrow(cache, Loader(error=KeyUnavailable("The provider is down.")))
    assert borrow(cache, Loader()) == KEY


def test_a_slow_load_holds_up_no_other_key(cache: DataKeyCache) -> None:
    held = HeldLoader()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(borrow, cache, held)
        assert held.started.wait(DEADLINE)
        assert borrow(cache, Loader(), CONTEXT._replace(account_id="acc_2")) == KEY
        held.release.set()
        slow.result(DEADLINE)


def test_many_threads_on_a_small_cache_always_get_the_right_key(cache: DataKeyCache) -> None:
    keys = {context: DataKey.random() for context in contexts(8)}

    def right(turn: int) -> bool:
        context = list(keys)[turn % 8]
        key, check = keys[context], key_check(keys[context], context)
        with cache.open(context, check, lambda: DataKey(key)) as opened:
            return opened.key == key

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(2000)))


def in_child(check: Callable[[], bool]) -> bool:
    """Return True if ``check`` holds in a forked child, within the deadline."""
    child = os.fork()
    if child == 0:
        signal.alarm(DEADLINE)
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_starts_empty_even_while_the_lock_is_held(cache: DataKeyCache) -> None:
    load = Loader()
    borrow(cache, load)
    with cache._lock:
        assert in_child(lambda: borrow(cache, load) == KEY and load.calls == 2)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_waits_for_no_load_of_its_parent(cache: DataKeyCache) -> None:
    held = HeldLoader()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(borrow, cache, held)
        assert held.started.wait(DEADLINE)
        served = in_child(lambda: borrow(cache, Loader()) == KEY)
        held.release.set()
        loading.result(DEADLINE)
    assert served


def test_the_parent_keeps_its_keys_over_a_fork(cache: DataKeyCache) -> None:
    load = Loader()
    borrow(cache, load)
    assert in_child(lambda: True)
    borrow(cache, load)
    assert load.calls == 1


def test_a_cache_does_not_print_its_keys(cache: DataKeyCache) -> None:
    cache.put(CONTEXT, DataKey(KEY))
    assert KEY.hex() not in repr(cache) + repr(cache._keys)
    assert repr(KEY)[2:-1] not in repr(cache) + repr(cache._keys)
