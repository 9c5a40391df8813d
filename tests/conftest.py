"""Fixtures of all tests: the servers, and the switch for the long proofs."""

import gc
import os
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from app.repository.connect import connect
from tests.support import databases
from tests.support.left_out import LeftOut
from tests.support.openbao import OpenBao, openbao_server
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.scheduling import ByModule

_TASKS = frozenset(
    {"clock", "credentials", "root_key_proof", "data_key_cache", "heartbeat", "sweep"}
)

_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a directory of its own there
_ROOM_BYTES = 2 << 30
_DISK = Path("/var/tmp")  # noqa: S108 - it must survive a restart, so it is in no memory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", action="store_true", help="run every proof at its full length")
    parser.addoption(
        "--database",
        choices=databases.KINDS,
        default="sqlite",
        help="the kind of database that every deployment has",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare this process for its tests, and all that they start."""
    databases.choose(config.getoption("--database"))
    _keep_directories_in_memory()
    _take_interrupts()
    config.pluginmanager.register(LeftOut(config))


def _keep_directories_in_memory() -> None:
    """Make the directories of tests where a commit waits for no disk, if there is room.

    Tests about disks are marked ``on_disk``.
    """
    found = os.statvfs(_MEMORY) if _MEMORY.is_dir() else None
    if found and found.f_bavail * found.f_frsize > _ROOM_BYTES and os.access(_MEMORY, os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))  # noqa: TID251 - pytest's


def _take_interrupts() -> None:
    """Let the programs that tests start be interrupted, also where this one is in the background.

    A shell and ``nohup`` start what they run in the background with these signals ignored, and that
    is inherited.
    """
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect tests without a search for garbage, and keep them out of every later search.

    Among half a million objects that stay there is none, and each worker would search them often.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what waits for real servers, so that short tests fill the workers at the end."""
    if items and items[0].config.getoption("--database") != "sqlite":
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="is about the files of SQLite"))
    items.sort(key=lambda item: {"cluster", "e2e", "docs"}.isdisjoint(item.path.parts))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the tests of long modules one by one, and all others by module."""
    return ByModule(config, log)


@pytest.fixture(autouse=True)
def no_task_is_left() -> Iterator[None]:
    """Fail a test that leaves a periodic task of its services to the tests after it.

    Some of them fork: a child inherits the locks that a running thread holds, and waits for ever.
    """
    yield
    left = [each.name for each in threading.enumerate() if each.name in _TASKS]
    assert left == []


@pytest.fixture(autouse=True)
def databases_are_removed() -> Iterator[None]:
    """Remove the databases that a test made outside of its directory."""
    yield from databases.chosen.clean_up()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory of the test's own, on a disk if the test is marked so."""
    if request.node.get_closest_marker("on_disk") is None:
        yield tmp_path
        return
    with TemporaryDirectory(dir=_DISK, prefix="strongroom-test-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def proving(request: pytest.FixtureRequest) -> bool:
    """True if proofs run at full length."""
    return bool(request.config.getoption("--prove"))


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real Vault server in memory; every test makes keys of its own."""
    with openbao_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A real PostgreSQL server; every test makes a database of its own."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_database(postgresql: PostgresqlServer) -> str:
    """The name of a database with all tables and no row, to be copied."""
    name = postgresql.create_database()
    with closing(connect(postgresql.url(name))) as database:
        database.upgrade()
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite database with all tables and no row, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "strongroom.db"
    with closing(connect(f"sqlite:///{file}")) as database:
        database.upgrade()
    return file


@pytest.fixture(scope="session")
def app_roles(openbao: OpenBao) -> OpenBao:
    """The shared server, where AppRoles can log in."""
    openbao.api("POST", "sys/auth/approle", {"type": "approle"})
    return openbao
