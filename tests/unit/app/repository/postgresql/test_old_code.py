"""The code from before the newest migration serves on the schema after it.

So the nodes of a deployment are upgraded one after the other: first the schema, then each node.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.repository.sql.schema import NEWEST, SURVIVED_BY, revisions
from backends.local_fernet import new_key_file
from tests.support.other_code import code_of_commit, run_in
from tests.support.postgresql import PostgresqlServer
from tests.support.two_versions import Versions, two_versions

pytestmark = pytest.mark.slow

UPGRADE = """
import os
from app.repository.connect import connect
connect(os.environ["STRONGROOM_DATABASE_URL"]).upgrade()
"""

REFUSED = """
import os
from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect
try:
    connect(os.environ["STRONGROOM_DATABASE_URL"]).upgrade()
except DatabaseMisconfigured as error:
    print(error)
"""

FAULTS = """
import json, os
from app.repository.connect import connect
print(json.dumps(connect(os.environ["STRONGROOM_DATABASE_URL"]).check().faults))
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


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return two_versions(tmp_path)


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


def test_code_that_a_migration_leaves_behind_refuses_the_schema(
    versions: Versions, environ: dict[str, str]
) -> None:
    run_in(versions.old, UPGRADE, environ)
    run_in(versions.later, UPGRADE, environ)
    assert json.loads(run_in(versions.new, FAULTS, environ)) == []
    (fault,) = json.loads(run_in(versions.old, FAULTS, environ))
    assert "newer version" in fault
    assert "newer version" in run_in(versions.old, REFUSED, environ)


def test_the_named_commit_is_from_before_the_newest_migration(versions: Versions) -> None:
    known = run_in(
        versions.old, "from app.repository.sql import schema; print(schema.revisions())", {}
    )
    assert f"'{NEWEST}'" not in known


def test_every_migration_but_the_first_says_which_code_survives_it() -> None:
    assert [each for each in revisions() if SURVIVED_BY not in each] == [min(revisions())]


def test_the_code_of_a_commit_is_unpacked_whole(tmp_path: Path) -> None:
    code = code_of_commit("HEAD", tmp_path)
    assert (code / "app/repository/sql/schema.py").exists()
