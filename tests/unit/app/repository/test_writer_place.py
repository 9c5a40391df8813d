"""The writer's place: one at a time, in order, among threads and processes, not for ever."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.sqlite import writer_place
from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.writer_place import FairLock, FileLock
from tests.contract.repository import rows
from tests.support.waiting import wait_until


def test_threads_have_the_lock_in_the_order_of_asking() -> None:
    lock, order, threads = FairLock(), [], []

    def take(number: int) -> None:
        assert lock.acquire(30)
        order.append(number)
        lock.release()

    assert lock.acquire(0)
    for number in range(8):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        wait_until(lambda number=number: len(lock._turns) == number + 1)  # type: ignore[misc]
    lock.release()
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_lock_that_is_held_is_not_had_in_time() -> None:
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0)
    assert not lock.acquire(0.01)


def test_who_gave_up_does_not_keep_the_lock_from_others() -> None:
    lock = FairLock()
    lock.acquire(0)
    lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0)


def test_a_file_lock_passes_to_who_waits(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire(0)
    timer = threading.Timer(0.05, first.release)
    timer.start()
    assert second.acquire(30)
    timer.join()


def test_a_file_lock_that_is_held_is_not_had_in_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire(0)
    assert not second.acquire(0.01)
    first.release()


def test_who_gave_up_a_file_lock_does_not_keep_it_from_others(tmp_path: Path) -> None:
    first, second, third = (FileLock(tmp_path / "lock") for _ in range(3))
    first.acquire(0)
    assert not second.acquire(0.01)
    first.release()
    assert third.acquire(30)
    third.release()
    assert second.acquire(30)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_place, "WAIT_S", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("is_same_process", [True, False])
def test_a_writer_that_waits_too_long_is_told_so(
    database: SqliteDatabase, path: Path, *, is_same_process: bool
) -> None:
    other = database if is_same_process else SqliteDatabase(path)
    with database.writing(), pytest.raises(StorageUnavailable), other.writing():
        pass
    with other.writing() as work:
        work.secrets.add(rows.secret())
        work.commit()
    other.close()


def test_readers_never_wait_for_a_writer(database: SqliteDatabase) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        with database.reading() as repository:
            assert repository.accounts.get(rows.OURS) is not None


def test_readers_take_as_many_connections_as_are_lent_at_once(database: SqliteDatabase) -> None:
    for _ in range(3):
        with ExitStack() as lent:
            for _ in range(4):
                lent.enter_context(database.reading())
    assert len(database._readers._idle) == 4


def test_a_failed_reader_is_not_lent_again(database: SqliteDatabase) -> None:
    with database.reading() as failing, pytest.raises(StorageUnavailable):
        failing.secrets.add(rows.secret())
    with database.reading() as repository:
        assert repository is not failing
