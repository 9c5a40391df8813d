"""Records of the audit trail: counted in lanes without a gap, read by place and by filter."""

import random
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.damage import DamagedRow
from app.domain.errors import StorageUnavailable
from app.domain.guarded import Guarded
from app.repository.base import Database, UnitOfWork
from app.repository.collections.batches import Stored
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

THREADS = 32
ROUNDS = 12


class Undone(Exception):
    """Ends a unit of work without a commit."""


def add(work: UnitOfWork, account_id: str = rows.OURS, **changes: object) -> tuple[int, int]:
    """Add a record at the next place. Returns the place."""
    lane, n = work.audit_events.take_place(account_id)
    name = f"aud_{lane}_{n:06}"
    event = rows.audit_event(name, account_id, lane=lane, n=n, **changes)
    work.audit_events.add(rows.columns_of(event))
    return lane, n


def record(database: Database, account_id: str = rows.OURS, **changes: object) -> tuple[int, int]:
    with database.writing() as work:
        place = add(work, account_id, **changes)
        work.commit()
    return place


def undo(database: Database) -> None:
    """Add a record, and undo it."""
    with suppress(Undone), database.writing() as work:
        add(work)
        raise Undone


def stored(database: Database, account_id: str = rows.OURS) -> dict[int, list[int]]:
    """The places of all records of an account, by lane."""
    places = defaultdict(list)
    with database.reading() as repository:
        for count in repository.audit_events.counts(account_id):
            found = repository.audit_events.between(account_id, count.lane, 0, 10**6, 10**6)
            places[count.lane] = numbers(found)
    return places


def numbers(found: Collection[Stored[AuditEvent]]) -> list[int]:
    """The places of records in their lane; each of them is whole."""
    whole = [each for each in found if isinstance(each, Guarded)]
    assert len(whole) == len([*found])
    return [each.unverified.n for each in whole]


def require_gapless(database: Database, committed: int, account_id: str = rows.OURS) -> None:
    """Require that each lane holds the records from 1 to its count, and all of them as many."""
    places = stored(database, account_id)
    with database.reading() as repository:
        counts = {each.lane: each.n for each in repository.audit_events.counts(account_id)}
    assert places == {lane: list(range(1, n + 1)) for lane, n in counts.items() if n}
    assert sum(map(len, places.values())) == committed


def test_records_are_counted_from_one(database: Database) -> None:
    places = [record(database) for _ in range(3)]
    assert [n for _, n in places] == [1, 2, 3]
    assert len({lane for lane, _ in places}) == 1


def test_each_account_has_lanes_of_its_own(database: Database) -> None:
    assert [record(database)[1], record(database, rows.THEIRS)[1]] == [1, 1]
    with database.reading() as repository:
        counts = [
            *repository.audit_events.counts(rows.OURS),
            *repository.audit_events.counts(rows.THEIRS),
        ]
        assert sorted((each.account_id, each.n) for each in counts) == [
            (rows.OURS, 1),
            (rows.THEIRS, 1),
        ]
        assert sorted(repository.audit_events.all_counts(None, 10)) == sorted(counts)


def test_what_is_undone_gives_its_place_back(database: Database) -> None:
    record(database)
    undo(database)
    assert record(database)[1] == 2
    require_gapless(database, 2)


def test_a_lane_that_is_undone_with_its_first_record_leaves_nothing(database: Database) -> None:
    undo(database)
    with database.reading() as repository:
        assert repository.audit_events.counts(rows.OURS) == []


def test_two_records_of_one_unit_of_work_are_both_counted(database: Database) -> None:
    with database.writing() as work:
        first, second = add(work), add(work)
        work.commit()
    assert (first[1], second[1]) == (1, 2)
    require_gapless(database, 2)


def test_one_of_many_threads_leaves_no_gap_however_many_are_undone(
    database: Database, elsewhere: Database
) -> None:
    committed = [0] * THREADS

    def work_on(number: int) -> None:
        chance = random.Random(number)
        for _ in range(ROUNDS):
            if chance.random() < 0.3:
                undo(elsewhere)
            else:
                committed[number] += _record_or_refused(database)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work_on, range(THREADS)))
    assert sum(committed) > 0
    require_gapless(database, sum(committed))


def _record_or_refused(database: Database) -> bool:
    """Record, unless the database has no connection free for it."""
    try:
        record(database)
    except StorageUnavailable:
        return False
    return True


def test_a_transaction_that_stays_open_after_its_record_is_in_nobodys_way(
    database: Database, elsewhere: Database, case: DatabaseCase
) -> None:
    if case.has_one_writer:
        pytest.skip("one unit of work at a time")
    with open_after_its_record(elsewhere) as place:
        others = [record(database) for _ in range(THREADS - 1)]
        assert place[0] not in {lane for lane, _ in others}
    require_gapless(database, THREADS)


@contextmanager
def open_after_its_record(database: Database) -> Iterator[tuple[int, int]]:
    """A unit of work of another thread that has recorded, and commits at the end of the block."""
    has_recorded, may_commit = threading.Event(), threading.Event()
    places = []

    def work_on() -> None:
        with database.writing() as work:
            places.append(add(work))
            has_recorded.set()
            may_commit.wait(30)
            work.commit()

    thread = threading.Thread(target=work_on)
    thread.start()
    try:
        assert has_recorded.wait(30)
        yield places[0]
    finally:
        may_commit.set()
        thread.join()


def test_records_of_a_lane_are_read_in_order_and_in_parts(database: Database) -> None:
    lane = {record(database)[0] for _ in range(5)}.pop()
    with database.reading() as repository:
        part = repository.audit_events.between(rows.OURS, lane, 1, 4, 2)
        rest = repository.audit_events.between(rows.OURS, lane, 3, 4, 2)
    assert numbers([*part, *rest]) == [2, 3, 4]


def test_a_damaged_record_does_not_hide_the_others(database: Database, case: DatabaseCase) -> None:
    lane = {record(database)[0] for _ in range(3)}.pop()
    case.loosen("audit_events")
    case.execute("UPDATE audit_events SET actor = NULL WHERE n = 2")
    with database.reading() as repository:
        found = repository.audit_events.between(rows.OURS, lane, 0, 3, 10)
    assert [isinstance(each, DamagedRow) for each in found] == [False, True, False]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(), [4, 3, 2, 1]),
        (EventFilter(action="secret.updated"), [2]),
        (EventFilter(actor="key_2"), [3, 2]),
        (EventFilter(subject="sec_1"), [3, 1]),
        (EventFilter(subject="sec%"), []),
        (EventFilter(since_ms=20, until_ms=40), [3, 2]),
        (EventFilter(actor="key_2", subject="sec_1"), [3]),
    ],
)
def test_records_are_listed_by_what_is_asked_for(
    database: Database, wanted: EventFilter, expected: list[int]
) -> None:
    record(database, at_ms=10, subjects=("sec_1@1", "inj_1"))
    record(database, at_ms=20, action="secret.updated", actor="key_2")
    record(database, at_ms=30, issuers=("key_0", "key_2"), subjects=("sec_1",))
    record(database, at_ms=40)
    record(database, rows.THEIRS, at_ms=30)
    with database.reading() as repository:
        batch = repository.audit_events.page(rows.OURS, wanted, None, 10)
        first = repository.audit_events.page(rows.OURS, wanted, None, 1)
        following = repository.audit_events.page(rows.OURS, wanted, first.after, 10)
    assert numbers(batch.rows) == expected
    assert [*first.rows, *(following.rows if first.after else ())] == batch.rows
