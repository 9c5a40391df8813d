"""Addresses that name a database, and those that do not."""

from pathlib import Path

import pytest

from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect

CANARY = "canary_4b1f"


def test_an_absolute_address_names_a_file(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path}/a.db")
    database.upgrade()
    assert (tmp_path / "a.db").exists()
    database.close()


def test_a_relative_address_begins_where_the_process_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = connect("sqlite:///home/a.db")
    monkeypatch.chdir("/")
    database.upgrade()
    assert (tmp_path / "home" / "a.db").exists()
    database.close()


def test_connecting_makes_nothing(tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path}/home/a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        CANARY,
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        f"sqlite:///{CANARY}.db?mode=memory",
        f"sqlite://{CANARY}/a.db",
        f"sqlite://user:{CANARY}@/a.db",
        f"sqlite+pysqlcipher:///{CANARY}.db",
        f"mysql://user:{CANARY}@localhost/db",
        f"sqlite://[{CANARY}",
        f"sqlite://localhost:{CANARY}/a.db",
    ],
)
def test_any_other_address_is_refused_by_the_settings_name(address: str) -> None:
    with pytest.raises(DatabaseMisconfigured, match=r"^STRONGROOM_DATABASE_URL ") as caught:
        connect(address)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
