"""PostgreSQL's failures by SQLSTATE: made by a real server where that is possible."""

import logging
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg
import pytest

from app.domain.errors import RowRefused, StorageUnavailable
from app.domain.secrets import SecretRef
from app.repository.base import UnitOfWork
from app.repository.postgresql.connections import BoundedConnection
from app.repository.postgresql.cursor import Sent
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.failures import failure_of, translate
from app.repository.postgresql.sessions import UNCERTAIN
from tests.contract.repository import rows
from tests.support.postgresql import PostgresqlServer
from tests.support.waiting import wait_until
from tests.unit.app.repository.postgresql.conftest import open_database

Failing = Callable[[UnitOfWork], object]


@pytest.fixture
def behind(postgresql: PostgresqlServer, name: str) -> Callable[[str], None]:
    """Runs a statement as the superuser."""

    def execute(sql: str) -> None:
        postgresql.execute(sql, database=name)

    return execute


@contextmanager
def session(postgresql: PostgresqlServer, name: str) -> Iterator[psycopg.Connection]:
    """Another session, in a transaction."""
    with closing(psycopg.connect(postgresql.url(name))) as connection:
        yield connection


def failure(database: PostgresqlDatabase, work_on: Failing) -> StorageUnavailable:
    """The failure of a unit of work."""

    def run() -> None:
        with database.writing() as work:
            work_on(work)
            work.commit()

    with pytest.raises(StorageUnavailable) as failed:
        run()
    return failed.value


def told(failed: StorageUnavailable) -> tuple[type[StorageUnavailable], str | None, int]:
    return type(failed), failed.cause, failed.retry_after


def add_a_secret(work: UnitOfWork) -> None:
    work.secrets.add(rows.secret())


def current(database: PostgresqlDatabase) -> BoundedConnection:
    """The connection that the next one who borrows gets."""
    borrowed = database._pool.borrow()
    borrowed.give_back()
    return borrowed.connection


@pytest.mark.parametrize(
    ("setting", "cause"), [("lock_timeout", "55P03"), ("statement_timeout", "57014")]
)
def test_a_wait_for_the_lock_of_another_session_is_reported_as_busy(
    database: PostgresqlDatabase, postgresql: PostgresqlServer, name: str, setting: str, cause: str
) -> None:
    run(current(database), f"SET {setting} = '10ms'")
    with session(postgresql, name) as other:
        other.execute("SELECT 1 FROM api_keys FOR UPDATE")
        failed = failure(database, lambda work: work.api_keys.get(rows.OURS, rows.API_KEY))
    assert told(failed) == (StorageUnavailable, cause, 1)


def test_a_deadlock_is_reported_as_busy(
    database: PostgresqlDatabase,
    behind: Callable[[str], None],
    postgresql: PostgresqlServer,
    name: str,
) -> None:
    with session(postgresql, name) as other:
        other.execute("SELECT 1 FROM accounts FOR UPDATE")
        behind(f"ALTER DATABASE {name} SET deadlock_timeout = '10ms'")  # sessions from now on

        def cross(work: UnitOfWork) -> None:
            work.api_keys.get(rows.OURS, rows.API_KEY)
            other.pgconn.send_query(b"SELECT 1 FROM api_keys FOR UPDATE")
            wait_until(lambda: waits(postgresql, other.info.backend_pid))
            work.accounts.get(rows.OURS)

        with closing(open_database(postgresql.url(name))) as later:
            failed = failure(later, cross)
    assert told(failed) == (StorageUnavailable, "40P01", 1)


def test_a_constraint_that_only_a_fault_of_ours_can_break_is_an_internal_error(
    database: PostgresqlDatabase,
) -> None:
    failed = failure(database, lambda work: work.secrets.add(rows.secret(version=0)))
    assert told(failed) == (RowRefused, "23514", 5)


def test_a_value_that_no_column_holds_is_an_internal_error(database: PostgresqlDatabase) -> None:
    failed = failure(database, lambda work: work.secrets.add(rows.secret(version=2**70)))
    assert told(failed) == (RowRefused, "22003", 5)


def test_a_data_key_that_went_is_worth_a_retry(database: PostgresqlDatabase) -> None:
    failed = failure(database, lambda work: work.secrets.add(rows.secret(data_key_id="dk_9")))
    assert told(failed) == (StorageUnavailable, "23503", 1)


@pytest.mark.parametrize(
    "failing",
    [
        lambda work: work.secrets.add(rows.secret(version=0)),
        lambda work: work.secrets.add(rows.secret(data_key_id="dk_9")),
    ],
)
def test_a_connection_outlives_a_refused_row(
    database: PostgresqlDatabase, failing: Failing
) -> None:
    before = current(database)
    failure(database, failing)
    assert current(database) is before


def test_a_session_that_is_ended_within_a_transaction_is_reported(
    database: PostgresqlDatabase, behind: Callable[[str], None], name: str
) -> None:
    def work_on(work: UnitOfWork) -> None:
        work.secrets.add(rows.secret(1))
        behind(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
        work.secrets.add(rows.secret(2))

    assert told(failure(database, work_on)) == (StorageUnavailable, "57P01", 5)
    failure_free(database)


def test_a_transaction_that_idles_too_long_is_reported(database: PostgresqlDatabase) -> None:
    connection = current(database)
    run(connection, "SET idle_in_transaction_session_timeout = '10ms'")

    def work_on(work: UnitOfWork) -> None:
        work.secrets.add(rows.secret(1))
        wait_until(lambda: is_readable(connection))
        work.secrets.add(rows.secret(2))

    assert told(failure(database, work_on)) == (StorageUnavailable, "25P03", 5)
    failure_free(database)


def test_a_demoted_server_refuses_to_begin_and_another_is_looked_for(
    database: PostgresqlDatabase,
) -> None:
    connection = current(database)
    fail_with(connection, "25006")
    failure_free(database)
    assert current(database) is not connection


@pytest.mark.parametrize("sqlstate", ["0A000", "26000", "XX000"])
def test_a_read_whose_prepared_statement_is_of_no_use_is_repeated(
    database: PostgresqlDatabase, sqlstate: str
) -> None:
    connection = current(database)
    fail_with(connection, sqlstate)
    with database.reading() as repository:
        assert repository.deployment.get_id() == "dep_1"
    assert current(database) is not connection


def test_a_changed_type_of_a_column_is_invisible_to_readers(
    database: PostgresqlDatabase, behind: Callable[[str], None]
) -> None:
    read_often(database)
    behind("ALTER TABLE accounts ALTER COLUMN name TYPE varchar(300)")
    read_often(database)


def test_a_forgotten_statement_is_invisible_to_readers(database: PostgresqlDatabase) -> None:
    read_often(database)
    run(current(database), "DEALLOCATE ALL", keeps_prepared=True)
    read_often(database)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("ALTER TABLE secrets RENAME TO elsewhere", "42P01"),
        ("REVOKE ALL ON secrets FROM serving", "42501"),
    ],
)
def test_a_right_or_a_table_that_is_missing_closes_the_connection(
    database: PostgresqlDatabase,
    behind: Callable[[str], None],
    postgresql: PostgresqlServer,
    name: str,
    sql: str,
    sqlstate: str,
) -> None:
    postgresql.execute("DROP ROLE IF EXISTS serving")
    postgresql.execute("CREATE ROLE serving LOGIN")
    behind("GRANT ALL ON ALL TABLES IN SCHEMA public TO serving")
    with closing(open_database(postgresql.url(name, user="serving"))) as serving:
        add_and_undo(serving)
        before = current(serving)
        behind(sql)
        assert told(failure(serving, add_a_secret)) == (StorageUnavailable, sqlstate, 5)
        assert before.closed
    behind("DROP OWNED BY serving")
    postgresql.execute("DROP ROLE serving")


def test_a_warning_at_commit_is_a_failure(database: PostgresqlDatabase) -> None:
    """As when an administrator ends the wait for a standby: the server says COMMIT all the same."""
    connection = current(database)
    run(connection, "CREATE TEMP TABLE t (n int)")
    run(
        connection,
        "CREATE FUNCTION pg_temp.warn() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE WARNING 'standby'; RETURN NULL; END $$",
    )
    run(
        connection,
        "CREATE CONSTRAINT TRIGGER w AFTER INSERT ON t "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.warn()",
    )

    def work_on(work: UnitOfWork) -> None:
        add_a_secret(work)
        connection.execute("INSERT INTO t VALUES (1)")

    assert told(failure(database, work_on)) == (StorageUnavailable, UNCERTAIN, 5)
    assert connection.closed


def test_what_changed_nothing_keeps_the_prepared_statements(database: PostgresqlDatabase) -> None:
    for _ in range(10):
        with database.writing() as work:
            work.accounts.get(rows.OURS)
    assert prepared(current(database))


def test_what_changed_something_is_undone(database: PostgresqlDatabase) -> None:
    add_and_undo(database)
    with database.reading() as repository:
        assert repository.secrets.view(rows.OURS, SecretRef.by_id(rows.secret().id)) is None


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300", "53400", "58030"])
def test_a_resource_that_an_operator_must_give_is_logged_for_an_alert(
    sqlstate: str, caplog: pytest.LogCaptureFixture
) -> None:
    failed = translate(psycopg.errors.lookup(sqlstate)())
    (record,) = caplog.records
    assert (record.message, record.levelno) == ("database_exhausted", logging.CRITICAL)
    assert told(failed) == (StorageUnavailable, sqlstate, 5)


@pytest.mark.parametrize("sqlstate", ["55P03", "57014", "40P01", "40001", "23503"])
def test_where_somebody_was_faster_a_retry_makes_sense_soon(sqlstate: str) -> None:
    error = psycopg.errors.lookup(sqlstate)()
    assert told(translate(error)) == (StorageUnavailable, sqlstate, 1)
    assert not failure_of(error).closes


@pytest.mark.parametrize(
    "sqlstate", ["57P01", "57P02", "57P03", "08000", "08006", "25006", "25P03", "XX000"]
)
def test_a_server_that_is_gone_makes_all_connections_worthless(sqlstate: str) -> None:
    error = psycopg.errors.lookup(sqlstate)()
    assert told(translate(error)) == (StorageUnavailable, sqlstate, 5)
    assert failure_of(error).is_lost


@pytest.mark.parametrize("sqlstate", ["28000", "28P01", "3D000", "42501", "42P01"])
def test_a_user_or_database_that_is_refused_closes_this_connection_alone(sqlstate: str) -> None:
    found = failure_of(psycopg.errors.lookup(sqlstate)())
    assert (found.closes, found.is_lost) == (True, False)


def test_a_failure_without_a_sqlstate_is_a_loss() -> None:
    assert failure_of(psycopg.OperationalError("gone")).is_lost


def test_text_that_no_column_can_hold_is_an_internal_error(database: PostgresqlDatabase) -> None:
    failed = failure(database, lambda work: work.secrets.add(rows.secret(name="a\0b")))
    assert told(failed) == (RowRefused, "22021", 5)


def run(connection: BoundedConnection, sql: str, *, keeps_prepared: bool = False) -> None:
    """Run a statement in a session of the pool's."""
    if keeps_prepared:
        connection.pgconn.exec_(sql.encode())
        return
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    connection.execute(sql.encode())


def fail_with(connection: BoundedConnection, sqlstate: str) -> None:
    """Let the next statement of a connection's own cursor fail."""
    cursor = connection.own_cursor
    closing_execute = type(cursor).execute

    def execute(*_: object, ahead: Sequence[Sent] = ()) -> None:
        vars(cursor).pop("execute", None)
        failing = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"
        closing_execute(cursor, failing, ahead=ahead)

    cursor.execute = execute  # type: ignore[method-assign,assignment]


def failure_free(database: PostgresqlDatabase) -> None:
    with database.writing() as work:
        add_a_secret(work)
        work.commit()


def add_and_undo(database: PostgresqlDatabase) -> None:
    with database.writing() as work:
        add_a_secret(work)


def read_often(database: PostgresqlDatabase) -> None:
    """Read as often as it takes until the statement is prepared."""
    for _ in range(10):
        with database.reading() as repository:
            assert repository.accounts.get(rows.OURS) is not None


def prepared(connection: BoundedConnection) -> bool:
    ((number,),) = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
    return bool(number)


def waits(server: PostgresqlServer, pid: int) -> bool:
    sql = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    return server.execute(sql, pid) == [(True,)]


def is_readable(connection: BoundedConnection) -> bool:
    """Return True if the server has sent something."""
    return bool(select.select([connection.pgconn.socket], [], [], 0)[0])
