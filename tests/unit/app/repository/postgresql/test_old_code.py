"""The code from before the newest migration serves on the schema after it.

So the nodes of a deployment are upgraded one after the other: first the schema, then each node.
With a new migration, name the commit before it here, and say in its revision which code survives.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.repository.sql.schema import NEWEST, SURVIVED_BY, revisions
from backends.local_fernet import new_key_file
from tests.support.other_code import code_at_hand, code_of_commit, run_in
from tests.support.postgresql import PostgresqlServer

BEFORE_NEWEST: str | None = None
"""The commit before the newest migration. While there is one migration, a second is made up."""

MADE_UP = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002{SURVIVED_BY}{NEWEST}", "{NEWEST}"

def upgrade():
    op.add_column("secrets", sa.Column("note", sa.Text()))
    op.add_column("api_keys", sa.Column("note", sa.Text(), server_default="none"))
    op.create_index("ix_secrets_note", "secrets", ["account_id", "note"])
    op.create_table("notes", sa.Column("account_id", sa.Text(), primary_key=True))
"""

UPGRADE = """
import os
from app.repository.connect import connect
connect(os.environ["STRONGROOM_DATABASE_URL"]).upgrade()
"""

SERVICES = """
import os
from app import bootstrap
from app.cli.diagnosis import diagnose
from app.domain.access.api_keys import Token
from app.domain.secrets import SecretRef, SecretValue
from config import examine, load
services = bootstrap.build(load(os.environ))
def redeem(token):
    found = services.redemption.redeem(Token(token), None, None)
    return {name: value.reveal() for name, value in found.items()}
"""

MAKE = (
    SERVICES
    + """
services.setup.initialise()
account = services.accounts.create("an account")
key = services.api_keys.issue(account.id, name="a key")
caller = services.authentication.authenticate(key.token)
services.secrets.create(caller, "BEFORE", SecretValue("before"), None)
print(key.token.reveal())
services.close()
"""
)

USE = (
    SERVICES
    + """
caller = services.authentication.authenticate(Token(os.environ["KEY"]))
services.secrets.update(caller, SecretRef.by_name("BEFORE"), SecretValue("changed"), None)
services.secrets.create(caller, "DURING", SecretValue("during"), None)
services.api_keys.issue(caller.account_id, name="another key")
wanted = {"BEFORE": "BEFORE", "DURING": "DURING"}
assert redeem(services.injections.create(caller, wanted, 300, None).token.reveal()) == {
    "BEFORE": "changed", "DURING": "during"
}
print(services.injections.create(caller, wanted, 300, None).token.reveal())
services.close()
faults = diagnose(examine(os.environ)).faults
assert faults == [], faults
"""
)

FINISH = (
    SERVICES
    + """
print(sorted(redeem(os.environ["INJECTION"]).values()))
services.close()
faults = diagnose(examine(os.environ)).faults
assert faults == [], faults
"""
)


@dataclass(frozen=True)
class Versions:
    """Directories with the code from before the newest migration, and from after it."""

    old: Path
    new: Path


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    new = code_at_hand(tmp_path / "new")
    if BEFORE_NEWEST is not None:
        return Versions(code_of_commit(BEFORE_NEWEST, tmp_path / "old"), new)
    old = code_at_hand(tmp_path / "old")
    (new / "app/repository/migrations/versions/0002_made_up.py").write_text(MADE_UP)
    schema = new / "app/repository/sql/schema.py"
    newest = f'NEWEST = "{NEWEST}"'
    text = schema.read_text()
    assert newest in text
    schema.write_text(text.replace(newest, f'NEWEST = "0002{SURVIVED_BY}{NEWEST}"'))
    return Versions(old, new)


@pytest.fixture
def environ(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "keys").write_bytes(new_key_file())
    (home / "keys").chmod(0o600)
    name = postgresql.create_database()
    yield {"STRONGROOM_HOME": str(home), "STRONGROOM_DATABASE_URL": postgresql.url(name)}
    postgresql.drop_database(name)


def test_old_code_serves_on_the_schema_of_the_newest_migration(
    versions: Versions, environ: dict[str, str]
) -> None:
    key = run_in(versions.old, MAKE, environ).strip()
    run_in(versions.new, UPGRADE, environ)
    injection = run_in(versions.old, USE, {**environ, "KEY": key}).strip()
    found = run_in(versions.new, FINISH, {**environ, "INJECTION": injection})
    assert found == "['changed', 'during']\n"


def test_the_commit_before_the_newest_migration_is_named() -> None:
    assert (BEFORE_NEWEST is None) == (len(revisions()) == 1)


def test_every_migration_but_the_first_says_which_code_survives_it() -> None:
    assert [each for each in revisions() if SURVIVED_BY not in each] == [min(revisions())]


def test_the_code_of_a_commit_is_unpacked_whole(tmp_path: Path) -> None:
    code = code_of_commit("HEAD", tmp_path)
    assert (code / "app/repository/sql/schema.py").exists()
