"""A fork leaves parent and child with connections of their own, and ends nobody's session."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.secrets import SecretFilter
from app.repository.postgresql.database import PostgresqlDatabase
from tests.contract.repository import rows
from tests.support.postgresql import PostgresqlServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[5]


@pytest.mark.parametrize("busy", ["nothing", "reader", "writer"])
def test_parent_and_child_both_go_on(
    database: PostgresqlDatabase, postgresql: PostgresqlServer, name: str, busy: str
) -> None:
    module = "tests.unit.app.repository.postgresql.forking"
    command = [sys.executable, "-m", module, postgresql.url(name), busy]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    with database.reading() as repository:
        assert repository.secrets.count(rows.OURS, SecretFilter()) == 50
