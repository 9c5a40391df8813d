"""A log that is not the database's own is never applied; after a crash its own always is."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretFilter
from app.repository.base import DatabaseMisconfigured
from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.disk.log_number import frames
from tests.contract.repository import rows
from tests.contract.repository.test_durability import write_until_killed


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The path of a database as a crash leaves it."""
    home = tmp_path / "crashed"
    home.mkdir(mode=0o700)
    return home / "strongroom.db"


def write(database: SqliteDatabase, *numbers: int, size: int = 100) -> None:
    for number in numbers:
        with database.writing() as work:
            work.secrets.add(rows.secret(number, envelope=b"e" * size))
            work.commit()


def write_a_whole_log(database: SqliteDatabase, first: int) -> None:
    write(database, *range(first, first + 300), size=20_000)


def crash(path: Path, at: Path) -> None:
    """Leave there what a crash at this moment would."""
    for name in (path.name, f"{path.name}-wal"):
        shutil.copyfile(path.with_name(name), at.with_name(name))
        at.with_name(name).chmod(0o600)


def copy(path: Path, to: Path) -> None:
    """Copy a database as SQLite's own tool does."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def count(path: Path) -> int:
    with closing(SqliteDatabase(path)) as database, database.reading() as repository:
        return repository.secrets.count(rows.OURS, SecretFilter())


def as_a_backup(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA application_id = 0")


def is_refused(path: Path) -> bool:
    """Return True if every way to open it refuses, and changes nothing."""
    before = [path.with_name(name).read_bytes() for name in (path.name, f"{path.name}-wal")]
    with closing(SqliteDatabase(path)) as database:
        (fault,) = database.check().faults
        with pytest.raises(StorageUnavailable) as reading:
            database.ping()
        with pytest.raises(StorageUnavailable) as writing, database.writing():
            pass
        with pytest.raises(DatabaseMisconfigured) as upgrading:
            database.upgrade()
    said = {fault, reading.value.cause, writing.value.cause, str(upgrading.value)}
    after = [path.with_name(name).read_bytes() for name in (path.name, f"{path.name}-wal")]
    return len(said) == 1 and "run: strongroom restore" in fault and before == after


def test_after_a_crash_the_log_is_applied(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    write(database, 1, 2, 3)
    crash(path, crashed)
    assert count(crashed) == 3


@pytest.mark.parametrize("number", range(0, 800, 40))
def test_a_crash_at_any_time_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path, number: int
) -> None:
    write(database, *range(1, number % 200 + 2), size=20_000)
    crash(path, crashed)
    assert count(crashed) == number % 200 + 1


def test_a_crash_after_a_crash_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    write(database, 1)
    crash(path, crashed)
    again = tmp_path / "again" / "strongroom.db"
    again.parent.mkdir(mode=0o700)
    with closing(SqliteDatabase(crashed)) as second:
        write(second, 2)
        crash(crashed, again)
    assert count(again) == 2


def test_a_crash_while_a_reader_held_the_log_back_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    write(database, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN").execute("SELECT count(*) FROM secrets").fetchone()
        write_a_whole_log(database, 2)
        crash(path, crashed)
    assert count(crashed) == 301


def test_a_log_of_another_program_is_applied(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    write(database, 1)
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DELETE FROM secrets")
        crash(path, crashed)
    assert count(crashed) == 0


Takes = Callable[[Path, Path], object]


@pytest.mark.parametrize("takes", [copy, shutil.copyfile], ids=["backup", "cp"])
def test_a_copy_of_before_the_log_was_begun_again_is_refused(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path, takes: Takes
) -> None:
    write(database, 1)
    takes(path, tmp_path / "copy.db")
    write_a_whole_log(database, 2)
    crash(path, crashed)
    shutil.copyfile(tmp_path / "copy.db", crashed)
    assert is_refused(crashed)


def test_a_backup_is_refused_beside_any_log(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    copy(path, tmp_path / "backup.db")
    as_a_backup(tmp_path / "backup.db")
    write(database, 1)
    crash(path, crashed)
    shutil.copyfile(tmp_path / "backup.db", crashed)
    assert is_refused(crashed)


def test_a_copy_of_a_stopped_server_is_refused_beside_a_later_log(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    write(database, 1)
    database.close()
    shutil.copyfile(path, tmp_path / "copy.db")
    for number in (2, 3):
        with closing(SqliteDatabase(path)) as again:
            write(again, number)
            crash(path, crashed)
    shutil.copyfile(tmp_path / "copy.db", crashed)
    assert is_refused(crashed)


def test_a_log_without_its_database_is_refused(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    write(database, 1)
    crash(path, crashed)
    crashed.write_bytes(b"")
    assert is_refused(crashed)


def test_a_backup_without_a_log_is_opened_and_gets_a_number(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    write(database, 1)
    copy(path, crashed)
    as_a_backup(crashed)
    crashed.chmod(0o600)
    shutil.copyfile(crashed, tmp_path / "backup.db")
    with closing(SqliteDatabase(crashed)) as restored:
        write(restored, 2)
        again = tmp_path / "again" / "strongroom.db"
        again.parent.mkdir(mode=0o700)
        crash(crashed, again)
    shutil.copyfile(tmp_path / "backup.db", again)
    assert is_refused(again)


def test_a_crash_while_pages_moved_from_the_log_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    write(database, *range(1, 60), size=20_000)
    crash(path, crashed)
    database.close()
    with path.open("rb") as moved, crashed.open("r+b") as begun:
        begun.write(moved.read(4096))  # of a file that is longer now
    assert count(crashed) == 59


def numbers_in_log(path: Path) -> list[int]:
    """The number in each frame of page 1, in order."""
    with path.with_name(f"{path.name}-wal").open("rb") as log:
        return [found[1] for found in frames(log.fileno()) if found is not None]


def test_only_where_a_log_begins_a_transaction_writes_a_number(
    database: SqliteDatabase, path: Path
) -> None:
    write(database, *range(1, 60))
    assert len(set(numbers_in_log(path))) <= 3


@pytest.mark.parametrize("takes", [copy, shutil.copyfile], ids=["backup", "cp"])
def test_no_copy_of_the_log_before_fits(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path, takes: Takes
) -> None:
    for number in range(8):
        write(database, *range(20 * number + 1, 20 * number + 21), size=20_000)
        takes(path, tmp_path / f"copy-{number}.db")
    write_a_whole_log(database, 200)
    crash(path, crashed)
    for number in range(8):
        shutil.copyfile(tmp_path / f"copy-{number}.db", crashed)
        assert is_refused(crashed)


def test_a_copy_of_before_a_stop_is_refused_beside_the_next_log(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    write(database, 1)
    copy(path, tmp_path / "copy.db")
    write(database, 2)
    database.close()
    with closing(SqliteDatabase(path)) as again:
        write(again, 3)
        crash(path, crashed)
    shutil.copyfile(tmp_path / "copy.db", crashed)
    assert is_refused(crashed)


def test_a_crash_in_the_first_transactions_after_a_stop_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    database.close()
    for number in range(1, 6):
        with closing(SqliteDatabase(path)) as again:
            write(again, number)
            crash(path, crashed)
        assert count(crashed) == number


def test_writers_in_turn_lose_nothing_in_a_crash(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    with closing(SqliteDatabase(path)) as other:
        for number in range(1, 400, 20):
            for each in range(number, number + 20, 2):
                write(database, each, size=20_000)
                write(other, each + 1, size=20_000)
            crash(path, crashed)
            assert count(crashed) == number + 19


def test_a_copy_of_before_two_writers_began_the_log_again_is_refused(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    with closing(SqliteDatabase(path)) as other:
        write(other, 1)
        copy(path, tmp_path / "copy.db")
        for number in range(2, 300, 2):
            write(database, number, size=20_000)
            write(other, number + 1, size=20_000)
        crash(path, crashed)
    shutil.copyfile(tmp_path / "copy.db", crashed)
    assert is_refused(crashed)


def move_log(path: Path) -> None:
    """Move the log into the database file as another program may."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")


def test_a_crash_after_another_program_moved_the_log_loses_nothing(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    for number in range(1, 6):
        move_log(path)
        write(database, number)
        crash(path, crashed)
        assert count(crashed) == number


def test_a_copy_of_before_another_program_moved_the_log_is_refused(
    database: SqliteDatabase, path: Path, crashed: Path, tmp_path: Path
) -> None:
    write(database, 1)
    copy(path, tmp_path / "copy.db")
    write(database, 2)
    move_log(path)
    write(database, 3, 4)
    crash(path, crashed)
    shutil.copyfile(tmp_path / "copy.db", crashed)
    assert is_refused(crashed)


def test_a_killed_writer_leaves_a_log_that_is_applied(
    database: SqliteDatabase, path: Path, crashed: Path
) -> None:
    """Each is killed near the moment at which the log is full and begun again."""
    written = 0
    for kill in range(3):
        write(database, *range(written + 1, written + 161), size=20_000)
        acknowledged = write_until_killed(f"sqlite:///{path}", 10_001 + kill * 10_000, 30)
        written += 160
        crash(path, crashed)
        assert count(crashed) >= written + 2 * len(acknowledged)
