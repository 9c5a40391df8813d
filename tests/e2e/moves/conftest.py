"""A deployment that moves from one database to another, of the same kind or not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.strongroom import Strongroom

Place = Callable[[str], str]
"""Makes the address of an empty database of a kind."""


@pytest.fixture
def place(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Place]:
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "SQLite":
            return f"sqlite:///{tmp_path}/{kind}-{len(list(tmp_path.iterdir()))}/strongroom.db"
        made.append(postgresql.create_database())
        return postgresql.url(made[-1])

    yield make
    for name in made:
        postgresql.drop_database(name)


@pytest.fixture
def kinds(request: pytest.FixtureRequest) -> list[str]:
    """The kinds of the two databases."""
    return str(request.param).split(" to ")


@pytest.fixture
def before(kinds: list[str], place: Place, tmp_path: Path) -> Iterator[Strongroom]:
    """A deployment on the one database, not started."""
    environment = {
        "STRONGROOM_HOME": f"{tmp_path}/home",
        "STRONGROOM_DATABASE_URL": place(kinds[0]),
        "PORT": str(free_port()),
    }
    server = Strongroom(tmp_path / "home", environment, tmp_path / "before.log")
    server.command("init")
    yield server
    server.kill()


@pytest.fixture
def new(kinds: list[str], place: Place) -> str:
    """The address of the other database, which is empty."""
    return place(kinds[1])


@pytest.fixture
def after(before: Strongroom, new: str, tmp_path: Path) -> Iterator[Strongroom]:
    """The same deployment on the new database, not started."""
    environment = {**before.environment, "STRONGROOM_DATABASE_URL": new}
    server = Strongroom(before.home, environment, tmp_path / "after.log")
    yield server
    server.kill()


@pytest.fixture
def show(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Print figures for the docs."""

    def print_past_the_capture(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")  # noqa: T201 - figures for the docs

    return print_past_the_capture
