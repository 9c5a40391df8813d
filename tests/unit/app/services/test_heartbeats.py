"""Heartbeats: what a worker tells the deployment, and how it learns of fences."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.base import Database, UnitOfWork
from app.services.container import Services
from backends.errors import KeyUnavailable, UnknownKey
from backends.keyring.keyring import Keyring
from tests.support.databases import Row, Rows
from tests.support.deployment import Clock, Deployment, new_tenant
from tests.unit.app.services.keys.moving import ignore
from tests.unit.app.services.providers import Remote

CONFIRMED_S = 10


@pytest.fixture
def clock(deployment: Deployment) -> Clock:
    return deployment.clock


@pytest.fixture
def first(deployment: Deployment) -> Remote:
    return Remote(f"local-fernet:{deployment.home / 'keys'}")


@pytest.fixture
def second(deployment: Deployment) -> Remote:
    return Remote(deployment.key_file("second"))


def beat(services: Services) -> None:
    """Run the task of every 2 seconds."""
    (task,) = [each for each in services.tasks._tasks if each._name == "heartbeat"]
    task._run()


def look_after_keys(services: Services) -> None:
    """Run the task of every 5 seconds."""
    (task,) = [each for each in services.tasks._tasks if each._name == "root_key_proof"]
    task._run()


def worker(rows: Rows) -> Row:
    return rows.one("workers")


def test_a_worker_tells_what_it_lists_and_what_it_opened_the_system_key_by(
    deployment: Deployment, first: Remote, second: Remote, rows: Rows
) -> None:
    beat(deployment.process(keyring=Keyring([first, second])))
    told = worker(rows)
    assert told["key_refs"] == f'["{first.key_ref}", "{second.key_ref}"]'
    assert told["opened_by"] == f'["{first.key_ref}"]'


def test_the_first_heartbeat_is_logged(
    deployment: Deployment, first: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "strongroom.worker"):
        beat(deployment.process(keyring=Keyring([first])))
    assert [(each.msg, vars(each)["detail"]) for each in caplog.records] == [
        (
            "keys_listed",
            f"listed: {first.key_ref}; the system data key is opened by: {first.key_ref}",
        )
    ]


def test_a_command_has_no_heartbeat(deployment: Deployment, rows: Rows) -> None:
    services = deployment.process()
    services.rewrap.run(ignore)
    services.close()
    assert rows.all("workers") == []


def test_a_worker_that_ends_deletes_its_row(deployment: Deployment, rows: Rows) -> None:
    services = deployment.process()
    beat(services)
    services.close()
    assert rows.all("workers") == []


def test_a_heartbeat_is_committed_every_20_seconds(
    deployment: Deployment, clock: Clock, rows: Rows
) -> None:
    services = deployment.process()
    beat(services)
    rows.edit("workers", {}, seen_at_ms=0)
    clock.advance(seconds=19)
    beat(services)
    assert worker(rows)["seen_at_ms"] == 0
    clock.advance(seconds=1)
    beat(services)
    assert worker(rows)["seen_at_ms"] > 0


def test_a_row_that_somebody_deleted_is_made_anew(
    deployment: Deployment, clock: Clock, rows: Rows
) -> None:
    services = deployment.process()
    beat(services)
    before = worker(rows)["id"]
    rows.remove("workers")
    clock.advance(seconds=20)
    beat(services)
    assert worker(rows)["id"] == before


def test_rows_of_workers_that_were_killed_go_after_an_hour(
    deployment: Deployment, clock: Clock, rows: Rows
) -> None:
    beat(deployment.process())
    rows.edit("workers", {}, id="wkr_killed", seen_at_ms=worker(rows)["seen_at_ms"] - 3_600_001)
    beat(deployment.process())
    assert [each["id"] for each in rows.all("workers", id="wkr_killed")] == []


def test_heartbeats_ask_no_provider_while_fences_stay(
    deployment: Deployment, first: Remote, clock: Clock
) -> None:
    services = deployment.process(keyring=Keyring([first]))
    beat(services)
    first.calls = 0
    for _ in range(10):
        clock.advance(seconds=20)
        beat(services)
    assert first.calls == 0


def test_a_fence_is_answered_at_once_by_what_else_opens_the_system_key(
    deployment: Deployment, first: Remote, second: Remote, rows: Rows
) -> None:
    services = deployment.process(keyring=Keyring([first, second]))
    beat(services)
    command = deployment.process(keyring=Keyring([second, first]))
    command.rewrap.run(ignore)
    fence(deployment, first)
    beat(services)
    assert worker(rows)["opened_by"] == f'["{second.key_ref}"]'
    assert worker(rows)["fence_generation"] == 1


def fence(deployment: Deployment, provider: Remote) -> None:
    with deployment.database.writing() as work:
        work.wrappings.fence(provider.key_ref)
        work.commit()


def lift(deployment: Deployment, provider: Remote) -> None:
    with deployment.database.writing() as work:
        work.wrappings.lift_fence(provider.key_ref)
        work.commit()


def test_a_worker_whose_keys_are_all_fenced_is_not_ready_and_says_which(
    deployment: Deployment, first: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    services = deployment.process(keyring=Keyring([first]))
    beat(services)
    assert services.readiness.report().ready
    fence(deployment, first)
    with caplog.at_level(logging.WARNING):
        beat(services)
    assert not services.readiness.report().ready
    (record,) = [each for each in caplog.records if each.msg == "root_key_not_proved"]
    assert f"STRONGROOM_KEYS: only keys that were retired are listed ({first.key_ref})" in str(
        vars(record)["detail"]
    )


def test_a_worker_whose_keys_are_all_fenced_makes_no_keys(
    deployment: Deployment, first: Remote, clock: Clock
) -> None:
    services = deployment.process(keyring=Keyring([first]))
    tenant = new_tenant(services)
    beat(services)
    fence(deployment, first)
    beat(services)
    clock.advance(seconds=CONFIRMED_S)
    look_after_keys(services)
    with pytest.raises(UnknownKey, match="retired"):
        services.api_keys.issue(tenant.caller.account_id, name="new")
    assert tenant.authenticate() == tenant.caller


def test_a_worker_that_starts_with_keys_that_are_all_fenced_is_not_ready(
    deployment: Deployment, first: Remote
) -> None:
    fence(deployment, first)
    services = deployment.process(keyring=Keyring([first]))
    assert not services.readiness.report().ready


def test_a_worker_that_starts_with_a_retired_key_names_it(
    deployment: Deployment, first: Remote, second: Remote
) -> None:
    command = deployment.process(keyring=Keyring([second, first]))
    command.rewrap.run(ignore)
    command.retire.run(first.key_ref)
    services = deployment.process(keyring=Keyring([first]))
    with pytest.raises(UnknownKey, match=first.key_ref):
        new_tenant(services)
    assert not services.readiness.report().ready


def test_a_fence_that_is_lifted_lets_the_worker_go_on(
    deployment: Deployment, first: Remote
) -> None:
    services = deployment.process(keyring=Keyring([first]))
    beat(services)
    fence(deployment, first)
    beat(services)
    lift(deployment, first)
    beat(services)
    assert services.readiness.report().ready
    new_tenant(services).create("A")


def test_a_worker_that_opened_nothing_yet_registers_with_nothing(
    deployment: Deployment, first: Remote, rows: Rows
) -> None:
    first.down = KeyUnavailable("The provider is down.")
    services = deployment.process(keyring=Keyring([first]))
    beat(services)
    assert worker(rows)["opened_by"] == "[]"
    first.down = None
    deployment.clock.advance(seconds=20)
    beat(services)
    assert worker(rows)["opened_by"] == f'["{first.key_ref}"]'


class FullDisk:
    """A database that takes no commit while it is full."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_full = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        with self._database.writing() as work:
            if self.is_full:
                work.commit = self._fail  # type: ignore[method-assign]
            yield work

    def _fail(self) -> None:
        raise StorageUnavailable


@pytest.fixture
def disk(deployment: Deployment) -> FullDisk:
    return FullDisk(deployment.database)


@pytest.fixture
def on_disk(deployment: Deployment, disk: FullDisk) -> Services:
    services = deployment.process(database=disk)  # type: ignore[arg-type]
    beat(services)
    return services


def test_a_heartbeat_that_cannot_be_committed_makes_a_worker_not_ready(
    on_disk: Services, disk: FullDisk, clock: Clock
) -> None:
    assert on_disk.readiness.report().database
    disk.is_full = True
    clock.advance(seconds=20)
    beat(on_disk)
    report = on_disk.readiness.report()
    assert (report.database, report.provider) == (False, True)


def test_a_worker_is_ready_again_as_soon_as_the_disk_takes_a_heartbeat(
    on_disk: Services, disk: FullDisk, clock: Clock
) -> None:
    disk.is_full = True
    clock.advance(seconds=20)
    beat(on_disk)
    disk.is_full = False
    beat(on_disk)
    assert on_disk.readiness.report().ready


def test_a_heartbeat_that_fails_is_logged_once(
    on_disk: Services, disk: FullDisk, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    disk.is_full = True
    clock.advance(seconds=20)
    for _ in range(3):
        beat(on_disk)
    failed = [vars(each)["detail"] for each in caplog.records if each.msg == "heartbeat_failed"]
    assert failed == ["The database is not available."]


def test_a_worker_whose_heartbeats_stopped_is_not_ready(on_disk: Services, clock: Clock) -> None:
    clock.advance(seconds=61)
    assert not on_disk.readiness.report().database


def test_readiness_writes_nothing(on_disk: Services, disk: FullDisk) -> None:
    disk.is_full = True
    assert on_disk.readiness.report().ready
