"""A copy that is killed five times goes on where it was, and ends with equal databases.

With ``--prove`` it copies 100,000 secrets, and is killed while it works at full speed. Otherwise
there are few of them: the new database holds each batch that is to be met, before its commit.
"""

import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.repository.connect import connect
from app.repository.sql.tables import secrets
from tests.e2e.keys.tenants import expected_values, read_in_bulk, seed_in_bulk
from tests.e2e.moves.deployments import assert_clients_work, copy_arguments, issue
from tests.support.javascript import JavaScript
from tests.support.moved_rows import engine, moved_rows
from tests.support.preloaded import start_command
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

KILLS = 5
SIZE, FULL_SIZE = (50, 50), (2_000, 50)  # accounts, and secrets of each
_SECONDS = 600.0

_COUNT = select(func.count()).select_from(secrets)
_HOLD = {
    "postgresql": """
        CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT count(*) FROM secrets) >= {rows} THEN PERFORM pg_sleep(600); END IF;
        RETURN NULL; END $$;
        CREATE OR REPLACE TRIGGER hold AFTER UPDATE ON moves
        FOR EACH STATEMENT EXECUTE FUNCTION hold()
    """,
    # It counts for hours.
    "sqlite": """
        CREATE TRIGGER hold AFTER UPDATE ON moves WHEN (SELECT count(*) FROM secrets) >= {rows}
        BEGIN SELECT count(*) FROM secrets, secrets AS b, secrets AS c, secrets AS d; END
    """,
}
# A server notices only after its statement that a client was killed.
_RELEASE = {
    "postgresql": """
        SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid();
        DROP TRIGGER IF EXISTS hold ON moves
    """,
    "sqlite": "DROP TRIGGER IF EXISTS hold",
}


@dataclass(frozen=True)
class Target:
    """The new database, as somebody sees it who can change its tables."""

    url: str

    def count(self) -> int:
        """Count the secrets that were copied."""
        with engine(self.url).connect() as connection:
            return int(connection.execute(_COUNT).scalar_one())

    def hold_at(self, rows: int) -> None:
        """Hold the batch in which there come to be so many secrets, until it is killed."""
        self.release()
        self._run(_HOLD, rows)

    def release(self) -> None:
        """Hold no batch."""
        self._run(_RELEASE)

    def _run(self, statements: dict[str, str], rows: int = 0) -> None:
        with engine(self.url).begin() as connection:
            connection.exec_driver_sql(statements[connection.dialect.name].format(rows=rows))


def places_of(secrets: int, chance: random.Random) -> list[int]:
    """Numbers of secrets, at random, with room for work between them and after the last one."""
    share = secrets / (KILLS + 1)
    return [int(share * (number + chance.uniform(0.3, 0.9))) for number in range(KILLS)]


@pytest.mark.parametrize("kinds", ["SQLite to PostgreSQL", "PostgreSQL to SQLite"], indirect=True)
def test_a_copy_that_is_killed_goes_on_and_ends_equal(
    before: Strongroom,
    after: Strongroom,
    new: str,
    javascript: JavaScript,
    tmp_path: Path,
    show: Callable[[str], None],
    *,
    proving: bool,
) -> None:
    size = FULL_SIZE if proving else SIZE
    before.start()
    issue(before)
    before.stop()
    tenants = seed_in_bulk(before.environment, *size)
    with closing(connect(new)) as database:
        database.upgrade()
    target, found = Target(new), [0]
    began = time.monotonic()
    for place in places_of(size[0] * size[1], random.Random()):
        if not proving:
            target.hold_at(place)
        copying = start_command(
            copy_arguments(before, new), before.environment, tmp_path / "out", tmp_path / "errors"
        )
        met = place if proving else place - 100  # a batch that is held is not there yet
        wait_until(lambda: target.count() >= max(met, found[-1] + 1), _SECONDS)  # noqa: B023
        copying.send_signal(signal.SIGKILL)
        assert copying.wait(60) == -signal.SIGKILL
        found.append(target.count())
    target.release()
    resumed = time.monotonic()
    done = before.command(*copy_arguments(before, new))
    ended = time.monotonic()
    assert "The new database is open." in done.stdout
    show(
        f"{size[0] * size[1]} secrets, killed at {found[1:]}, {ended - began:.0f} s in all, "
        f"{ended - resumed:.0f} s for the last run"
    )
    assert moved_rows(before.environment["STRONGROOM_DATABASE_URL"]) == moved_rows(new)
    after.start()
    assert_clients_work(after, javascript, [])
    after.stop()
    assert read_in_bulk(after.environment, tenants) == expected_values(tenants)
