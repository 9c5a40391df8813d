"""``strongroom db copy`` at a terminal: Ctrl-C ends it in each phase, and the next run goes on."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.bootstrap import build
from app.repository.connect import connect
from config import load
from tests.support.deployment import new_tenant
from tests.support.postgresql import PostgresqlServer
from tests.support.strongroom import Strongroom
from tests.support.tmux import Terminals, terminals
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SECRETS = 1500
SECONDS = 120.0

# Each row takes a millisecond to read or write, so that a phase is met in its middle.
_SLOW = """
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY slow ON secrets USING (pg_sleep(0.001)::text IS NOT NULL)
"""
_QUICK = "ALTER TABLE secrets DISABLE ROW LEVEL SECURITY"
_MULTIPLY = """
INSERT INTO secrets
SELECT account_id, 'sec_' || lpad(i::text, 22, '0'), 'N' || i, version, create_time_ms,
    update_time_ms, data_key_id, mac_key_id, mac, envelope || i::text::bytea
FROM secrets, generate_series(1, %s) AS i
"""
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Copy:
    """The command in a terminal, and the two databases.

    Attributes:
        names: Those of the databases on the server.
    """

    server: PostgresqlServer
    names: tuple[str, str]
    terminal: str
    screens: Terminals

    def begin(self) -> None:
        """Clear the screen, and run the command."""
        urls = [self.server.url(each) for each in self.names]
        line = f"clear; strongroom db copy --from {urls[0]} --to {urls[1]}; echo ended: $?"
        self.screens.type(self.terminal, line)

    def wait_for(self, pattern: str) -> None:
        wait_until(lambda: bool(re.search(pattern, self._screen, re.MULTILINE)), SECONDS)

    def interrupt(self) -> str:
        """Press Ctrl-C, and wait until the command has ended. Returns the screen."""
        self.screens.interrupt(self.terminal)
        self.wait_for(r"^ended: 130$")
        return self._screen

    def wait_for_lock(self, which: int) -> None:
        """Wait until the command waits for a lock in one of the databases."""

        def waits() -> bool:
            return self.server.execute(_WAITS, self.names[which]) != [(0,)]

        wait_until(waits, SECONDS)

    def run(self, which: int, sql: str, *parameters: object) -> None:
        """Run statements in one of the databases, as the owner of its tables."""
        self.server.execute(sql, *parameters, database=self.names[which], user="strongroom")

    @contextmanager
    def locked(self, which: int, table: str) -> Iterator[None]:
        """Let nobody else use a table of one of the databases."""
        with closing(psycopg.connect(self.server.url(self.names[which]))) as holder:
            holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    @property
    def _screen(self) -> str:
        return self.screens.screen(self.terminal)


@pytest.fixture
def copy(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Copy]:
    names = (postgresql.create_database(), postgresql.create_database())
    environment = {
        "STRONGROOM_HOME": f"{tmp_path}/home",
        "STRONGROOM_DATABASE_URL": postgresql.url(names[0]),
        "STRONGROOM_KEYS": f"local-fernet:{tmp_path}/home/keys",
        "STRONGROOM_BIND": f"unix:{tmp_path}/socket",
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "LANG": "C.UTF-8",
    }
    source = Strongroom(tmp_path / "home", environment, tmp_path / "log")
    source.command("init")
    make_secrets(environment, postgresql.url(names[0]))
    with closing(connect(postgresql.url(names[1]))) as target:
        target.upgrade()
    with terminals(tmp_path, environment) as screens:
        yield Copy(postgresql, names, screens.open(), screens)
    for name in names:
        postgresql.drop_database(name)


def make_secrets(environment: Mapping[str, str], url: str) -> None:
    """Make one secret, and many rows like it."""
    with closing(build(load(environment))) as services:
        new_tenant(services).create("FIRST")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(_MULTIPLY, [SECRETS])


def test_ctrl_c_ends_each_phase_and_the_next_run_goes_on(copy: Copy) -> None:
    again = "To go on, run the same command again."
    with copy.locked(0, "secrets"):
        copy.begin()
        copy.wait_for_lock(0)
        assert "interrupted" in copy.interrupt(), "it waited for the last transactions"

    copy.run(1, _SLOW)
    for phase in ("rows copied", "rows verified"):
        copy.begin()
        copy.wait_for(phase)
        stopped = copy.interrupt()
        assert re.search(rf"stopped: \d+ of \d+ {phase} done\. {again}", stopped), stopped
    copy.run(1, _QUICK)

    with copy.locked(1, "deployment"):
        copy.begin()
        copy.wait_for_lock(1)
        stopped = copy.interrupt()
        assert again in stopped, "it was about to open the new database"

    copy.begin()
    copy.wait_for(r"rows copied and verified\. The new database is open\.$")
    copy.wait_for(r"^ended: 0$")
