"""All or nothing, rolled back by default, durable once committed."""

import pytest

from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretFilter, SecretRef
from app.repository.base import Conflict, Database
from tests.contract.repository import rows

EVERYTHING = SecretFilter()


class Interrupted(Exception):
    pass


def test_what_is_not_committed_never_was(database: Database) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 0


@pytest.mark.operator
def test_an_exception_undoes_all_changes(database: Database) -> None:
    def fail() -> None:
        with database.writing() as work:
            work.secrets.add(rows.secret())
            work.accounts.replace(rows.account(devbox=False))
            raise Interrupted

    with pytest.raises(Interrupted):
        fail()
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 0
        assert repository.accounts.get(rows.OURS) == rows.account()


def test_a_failing_statement_undoes_those_before_it(database: Database) -> None:
    def fail() -> None:
        with database.writing() as work:
            work.secrets.add(rows.secret())
            work.secrets.add(rows.secret(2, data_key_id="dk_missing"))
            work.commit()

    with pytest.raises(StorageUnavailable):
        fail()
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 0


def test_a_conflict_leaves_the_unit_of_work_usable(database: Database) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        with pytest.raises(Conflict):
            work.secrets.add(rows.secret(2, name="NAME_1"))
        work.secrets.add(rows.secret(3))
        work.commit()
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 2


def test_what_is_committed_is_seen_elsewhere_at_once(
    database: Database, elsewhere: Database
) -> None:
    with elsewhere.reading() as repository:
        for number in range(1, 20):
            with database.writing() as work:
                work.secrets.add(rows.secret(number))
                work.commit()
            assert repository.secrets.count(rows.OURS, EVERYTHING) == number


def test_what_is_not_committed_is_not_seen_elsewhere(
    database: Database, elsewhere: Database
) -> None:
    with database.writing() as work, elsewhere.reading() as repository:
        work.secrets.add(rows.secret())
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 0


def test_a_unit_of_work_sees_its_own_changes(database: Database) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        assert work.secrets.view(rows.OURS, SecretRef.by_name("NAME_1")) == rows.secret().view()


def test_nothing_can_be_done_after_the_commit(database: Database) -> None:
    with database.writing() as work:
        work.commit()
        with pytest.raises(RuntimeError, match="ended"):
            work.secrets.add(rows.secret())


def test_nothing_can_be_done_after_the_end(database: Database) -> None:
    with database.writing() as work:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        work.secrets.add(rows.secret())


def test_a_failed_unit_of_work_does_not_spoil_the_next(database: Database) -> None:
    with pytest.raises(StorageUnavailable), database.writing() as work:
        work.secrets.add(rows.secret(data_key_id="dk_missing"))
    with database.writing() as work:
        work.secrets.add(rows.secret())
        work.commit()
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 1


def test_a_reader_can_change_nothing(database: Database) -> None:
    with database.reading() as repository, pytest.raises(StorageUnavailable):
        repository.secrets.add(rows.secret())
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, EVERYTHING) == 0


def test_a_closed_database_opens_again_as_it_was(database: Database, elsewhere: Database) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        work.commit()
    database.close()
    with elsewhere.reading() as repository:
        assert (
            repository.secrets.view(rows.OURS, SecretRef.by_name("NAME_1")) == rows.secret().view()
        )
