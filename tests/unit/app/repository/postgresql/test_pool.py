"""The pool: slots, generations, age, and a server without a primary."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.postgresql import connections
from app.repository.postgresql import pool as pool_module
from app.repository.postgresql.address import parse_address
from app.repository.postgresql.connections import BoundedConnection, connect
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.pool import Pool
from backends.calls.request_deadline import request_deadline
from tests.contract.repository import rows
from tests.support.faulty_proxy import FaultyProxy, hang
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.waiting import wait_until
from tests.unit.app.repository.postgresql.conftest import fill, open_database

SIZE = 8


@pytest.fixture
def proxy(postgresql: PostgresqlServer) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(f"127.0.0.1:{postgresql.port}")
    yield proxy
    proxy.close()


@pytest.fixture
def behind(
    proxy: FaultyProxy, database: PostgresqlDatabase, name: str
) -> Iterator[PostgresqlDatabase]:
    """The database through the proxy, with three connections at most."""
    behind = open_database(f"postgresql://postgres@{proxy.host}/{name}", connections=3)
    yield behind
    behind.close()


def use(database: PostgresqlDatabase) -> None:
    """One unit of work that changes nothing."""
    with database.writing() as work:
        assert work.accounts.get(rows.OURS) is not None


def read(database: PostgresqlDatabase) -> str | None:
    with database.reading() as repository:
        return repository.deployment.get_id()


def fill_up(database: PostgresqlDatabase, size: int = SIZE) -> None:
    """Open all connections at once, and leave them idle."""
    with ExitStack() as stack:
        for _ in range(size):
            stack.enter_context(database.reading()).deployment.get_id()


def test_nobody_meets_the_connections_of_before_a_restart() -> None:
    with (
        postgresql_server("synchronous_commit=on") as server,
        closing(open_database(server.url(server.create_database()))) as database,
    ):
        database.upgrade()
        fill(database)
        fill_up(database)
        server.stop()
        server.start()
        for _ in range(12):
            use(database)
            read(database)
        with ThreadPoolExecutor(SIZE) as threads:
            assert len(list(threads.map(lambda _: use(database), range(64)))) == 64


@pytest.mark.parametrize("first", [use, read])
def test_one_loss_makes_all_idle_connections_of_its_age_worthless(
    database: PostgresqlDatabase,
    postgresql: PostgresqlServer,
    name: str,
    first: Callable[[PostgresqlDatabase], object],
) -> None:
    fill_up(database)
    end_sessions(postgresql, name)
    first(database)
    opened = count_sessions(postgresql, name)
    for _ in range(SIZE):
        use(database)
    assert (opened, count_sessions(postgresql, name)) == (1, 1)


def test_a_full_pool_refuses_after_a_wait(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "FULL_S", 0.05)
    with ExitStack() as stack:
        for _ in range(SIZE):
            stack.enter_context(database.reading())
        with pytest.raises(StorageUnavailable) as refused:
            read(database)
    assert refused.value.retry_after == 1
    assert read(database) == "dep_1"


def test_a_thread_waits_for_a_connection_that_is_given_back(database: PostgresqlDatabase) -> None:
    with ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        for _ in range(SIZE):
            stack.enter_context(database.reading())
        waiting = thread.submit(read, database)
        stack.close()
        assert waiting.result(timeout=30) == "dep_1"


def test_nobody_queues_where_nothing_is_given_back(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        for _ in range(SIZE):
            stack.enter_context(database.reading())
        monkeypatch.setattr(pool_module, "FULL_S", 0.05)
        with pytest.raises(StorageUnavailable):
            read(database)
        monkeypatch.setattr(pool_module, "FULL_S", 600)
        with pytest.raises(StorageUnavailable):
            read(database)


def test_a_request_waits_for_the_end_of_a_switchover(
    proxy: FaultyProxy, behind: PostgresqlDatabase
) -> None:
    read(behind)
    with ThreadPoolExecutor(3) as threads:
        with proxy.refusing():
            waiting = [threads.submit(in_a_request, read, behind) for _ in range(3)]
            wait_until(lambda: not behind._pool._primary.is_there)
        assert [each.result(timeout=30) for each in waiting] == ["dep_1"] * 3


def test_one_thread_alone_tries_to_connect(proxy: FaultyProxy, behind: PostgresqlDatabase) -> None:
    trying, most, lock = 0, 0, threading.Lock()
    pool = behind._pool
    connect_once = pool._connect

    def counted() -> BoundedConnection:
        nonlocal trying, most
        with lock:
            trying += 1
            most = max(most, trying)
        try:
            return connect_once()
        finally:
            with lock:
                trying -= 1

    with proxy.refusing():
        with pytest.raises(StorageUnavailable):
            read(behind)
        pool._connect = counted
        with ThreadPoolExecutor(3) as threads:
            for each in [threads.submit(in_a_request, read, behind, 0.5) for _ in range(3)]:
                assert isinstance(each.exception(timeout=30), StorageUnavailable)
    assert most == 1


def test_whoever_has_no_slot_is_refused_while_there_is_no_primary(
    proxy: FaultyProxy, behind: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "FULL_S", 600)
    with ThreadPoolExecutor(3) as threads:
        with proxy.refusing():
            waiting = [threads.submit(in_a_request, read, behind) for _ in range(3)]
            slots = behind._pool._slots
            wait_until(lambda: not behind._pool._primary.is_there and not slots._value)
            with pytest.raises(StorageUnavailable):
                read(behind)
        assert [each.result(timeout=30) for each in waiting] == ["dep_1"] * 3


def test_a_black_hole_ends_a_request_and_is_over_when_it_is(
    proxy: FaultyProxy, behind: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "GRACE_S", 0.1)
    read(behind)
    with proxy.failing(hang):
        with pytest.raises(StorageUnavailable):
            in_a_request(read, behind, 0.1)
        assert not behind._pool._primary.is_there
    assert in_a_request(read, behind) == "dep_1"
    assert behind._pool._primary.is_there


def test_where_no_request_waits_a_failure_is_reported_at_once(
    proxy: FaultyProxy, behind: PostgresqlDatabase
) -> None:
    tries = proxy.connections
    with proxy.refusing(), pytest.raises(StorageUnavailable) as failed:
        read(behind)
    assert failed.value.cause == "nothing listens at the host and port."
    assert proxy.connections == tries


def test_a_connection_is_replaced_at_its_age(postgresql: PostgresqlServer, name: str) -> None:
    address = parse_address(postgresql.url(name))
    made: list[BoundedConnection] = []

    def counted() -> BoundedConnection:
        made.append(connect(address))
        return made[-1]

    pool = Pool(counted, 1, oldest_s=0)
    for _ in range(2):
        pool.borrow().give_back()
    assert (made[0].closed, made[-1].closed) == (True, False)
    pool.close()


def test_an_idle_connection_is_used_again(
    database: PostgresqlDatabase, postgresql: PostgresqlServer, name: str
) -> None:
    for _ in range(20):
        use(database)
        read(database)
    assert count_sessions(postgresql, name) == 1


def test_closing_leaves_no_session(
    database: PostgresqlDatabase, postgresql: PostgresqlServer, name: str
) -> None:
    fill_up(database)
    with database.reading() as repository:
        repository.deployment.get_id()
        database.close()
    wait_until(lambda: count_sessions(postgresql, name) == 0)


def in_a_request(
    work: Callable[[PostgresqlDatabase], str | None],
    database: PostgresqlDatabase,
    seconds: float = 8,
) -> str | None:
    """Work as a request does, with a deadline."""
    with request_deadline(seconds):
        return work(database)


def count_sessions(server: PostgresqlServer, name: str) -> int:
    """The number of sessions on a database."""
    ((number,),) = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", name)
    return int(number)


def end_sessions(server: PostgresqlServer, name: str) -> None:
    """End all sessions on a database, and wait until they are gone."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name
    )
    wait_until(lambda: count_sessions(server, name) == 0)
