"""The database is made for our eyes only, and refused when others may see or change it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.base import DatabaseMisconfigured
from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(path: Path) -> dict[str, int]:
    files = [path.parent, *path.parent.iterdir()]
    return {each.name: each.stat().st_mode & 0o777 for each in files}


@pytest.mark.usefixtures("umask")
def test_directory_and_files_are_ours_alone(database: SqliteDatabase, path: Path) -> None:
    with database.reading() as repository:
        repository.accounts.sweep(None, 10)
    name = path.name
    assert modes(path) == {
        "home": 0o700,
        name: 0o600,
        f"{name}-wal": 0o600,
        f"{name}-shm": 0o600,
        f"{name}.lock": 0o600,
    }


LOOSENED = ["home", "home/strongroom.db"]


@pytest.mark.parametrize("loosened", LOOSENED)
@pytest.mark.parametrize("mode", [0o740, 0o704, 0o720, 0o777])
def test_what_others_may_see_or_change_is_a_fault(
    database: SqliteDatabase, tmp_path: Path, loosened: str, mode: int
) -> None:
    (tmp_path / loosened).chmod(mode)
    (fault,) = database.check().faults
    assert fault.startswith("STRONGROOM_DATABASE_URL: the database")
    assert " mode 0" in fault


@pytest.mark.parametrize("loosened", LOOSENED)
def test_what_others_may_see_is_not_served(
    database: SqliteDatabase, path: Path, tmp_path: Path, loosened: str
) -> None:
    database.close()
    (tmp_path / loosened).chmod(0o755)
    with pytest.raises(StorageUnavailable):
        SqliteDatabase(path).ping()


def test_no_database_is_made_where_others_may_see_it(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    with pytest.raises(DatabaseMisconfigured, match="directory of mode 0700"):
        SqliteDatabase(path).upgrade()
    assert list(path.parent.iterdir()) == []


def test_files_of_another_user_are_a_fault(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert database.check().faults == [
        f"STRONGROOM_DATABASE_URL: the database{which} must belong to the user that Strongroom "
        "runs as."
        for which in ("'s directory", "")
    ]


@pytest.mark.parametrize("name", ["strongroom.db", "strongroom.db.lock"])
def test_a_link_in_the_place_of_a_file_is_not_followed(
    path: Path, tmp_path: Path, name: str
) -> None:
    path.parent.mkdir(mode=0o700)
    (path.parent / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises((DatabaseMisconfigured, StorageUnavailable)):
        SqliteDatabase(path).upgrade()
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_in_the_place_of_the_database_is_a_fault(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    path.parent.chmod(0o700)
    (fault,) = SqliteDatabase(path).check().faults
    assert "regular file" in fault


def test_a_database_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseMisconfigured, match="STRONGROOM_DATABASE_URL"):
        SqliteDatabase(tmp_path / "file" / "strongroom.db").upgrade()


def test_a_database_that_is_gone_is_not_made_anew(database: SqliteDatabase, path: Path) -> None:
    database.close()
    path.unlink()
    with pytest.raises(StorageUnavailable), database.writing() as work:
        work.secrets.add(rows.secret())
    assert not path.exists()
