"""The roles of the shipped file: each suffices for its work, and can do no other."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, Delete, Insert, Select, Table, Update
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.visitors import iterate

from app import bootstrap
from app.cli.private_files import create
from app.domain.audit.filters import EventFilter
from app.domain.gateways.admissions import UseEnd
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.terms import NewGatewayToken
from app.domain.idempotency import RetryKey
from app.domain.secrets import SecretRef, SecretValue
from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.options import ServerOptions
from app.repository.postgresql.rights import SERVER_RIGHTS, VERSION
from app.repository.sql.tables import metadata
from app.services.container import Services
from config import load
from tests.support.deployment import (
    GATEWAY_URL,
    Clock,
    Deployment,
    Tenant,
    child_of,
    new_tenant,
    revoke,
    sweep,
)
from tests.support.gateway.stored import admit
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.postgresql_roles import OPERATOR, OWNER, SERVER, make_roles
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

WRITABLE = "SET TRANSACTION READ WRITE; "


class Roles:
    """A deployment on PostgreSQL, by the roles that the file makes.

    Attributes:
        name: Of its database.
        home: The directory of its key file.
    """

    def __init__(self, server: PostgresqlServer, home: Path) -> None:
        self.server = server
        self.name = server.create_database()
        self.home = home
        self.clock = Clock()
        for _ in range(2):  # it is safe to run again
            make_roles(server, self.name)

    def url(self, role: str) -> str:
        return self.server.url(self.name, user=role)

    def process(self, role: str, database: PostgresqlDatabase | None = None) -> Services:
        """A process whose database user is the role."""
        settings = load(
            {
                "STRONGROOM_HOME": str(self.home),
                "STRONGROOM_GATEWAY_URL": GATEWAY_URL,
                "STRONGROOM_DATABASE_URL": self.url(role),
                "STRONGROOM_MIGRATION_DATABASE_URL": self.url(OWNER),
            }
        )
        return bootstrap.build(settings, database=database, wall=self.clock, boot=self.clock.boot)

    def run(self, role: str, sql: str) -> None:
        self.server.execute(sql, database=self.name, user=role)


@pytest.fixture(scope="module")
def roles(
    postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Roles]:
    """A deployment that the operator has initialised."""
    home = tmp_path_factory.mktemp("home")
    roles = Roles(postgresql, home)
    Deployment(home, roles.clock).key_file("keys")
    with closing(roles.process(OPERATOR)) as services:
        assert services.setup.initialise() is not None
    yield roles
    postgresql.drop_database(roles.name)


@pytest.fixture(scope="module")
def statements(roles: Roles) -> list[ClauseElement]:
    """Every statement that a worker runs while it does all of its work, as the role that serves."""
    database = PostgresqlDatabase(roles.url(SERVER), ServerOptions())
    with (
        closing(roles.process(OPERATOR)) as operator,
        closing(roles.process(SERVER, database)) as server,
    ):
        tenant = new_tenant(operator).at(server)
        use_secrets(tenant)
        use_injections(tenant)
        use_api_keys(tenant)
        use_gateways(tenant)
        use_gateway_keys(operator, server)
        use_lanes(database, tenant)
        server.tasks.start()
        wait_until(lambda: server.readiness.report().ready)
        sweep(server)
        for _ in range(2):
            server.audit.sealer.seal()
            server.audit.heads.newest()
        server.audit.events.page(tenant.caller.account_id, EventFilter(), 10, None)
        roles.clock.advance(days=40)
        tenant.create("AFTER_A_MONTH")  # under a new data key
        roles.clock.advance(days=60)  # until old versions are deleted
        sweep(server)
    return [*database._prepared]


def use_secrets(tenant: Tenant) -> None:
    caller, retry = tenant.authenticate(), RetryKey("request", b"{}")
    secrets = tenant.services.secrets
    for _ in range(2):
        assert secrets.create(caller, "RETRIED", SecretValue("a value"), retry).name == "RETRIED"
    tenant.create("A")
    tenant.update("A", "another value")
    use_versions(tenant, SecretRef.by_name("A"))
    tenant.create("B")
    tenant.delete("B")
    assert tenant.names() == ["A", "RETRIED"]


def use_versions(tenant: Tenant, ref: SecretRef) -> None:
    """Roll back twice, so that the value is the same in the end, and delete old versions."""
    versions, caller = tenant.services.secret_versions, tenant.caller
    assert versions.roll_back(caller, ref, 1, None).version == 3
    assert versions.roll_back(caller, ref, 2, None).version == 4
    assert versions.delete(caller, ref, 1, None) == 1
    assert versions.purge(caller, ref, None) == 2
    tenant.update(ref.text, "another value")
    assert [each.version for each in versions.list(caller, ref)] == [5, 4]


def use_injections(tenant: Tenant) -> None:
    injection = tenant.inject("A")
    assert tenant.redeem(injection.token, "a-nonce-of-22-characters") == {"A": "another value"}
    pending = tenant.inject("A")
    injections = tenant.services.injections
    injections.revoke(tenant.caller, pending.id, None)
    assert len(injections.list(tenant.caller, 10, None).injections) == 2


def use_api_keys(tenant: Tenant) -> None:
    child = child_of(tenant)
    tenant.services.api_keys.rotate(tenant.caller.account_id, child.key.id)
    revoke(child)


def use_gateways(tenant: Tenant) -> None:
    services, caller = tenant.services, tenant.caller
    draft = ConfigDraft(
        name="a config", endpoint="https://api.example.com", auth=AuthMechanism(AuthType.BEARER)
    )
    config = services.gateway_configs.create(caller, draft, None)
    services.gateway_configs.update(caller, config.id, ConfigDraft(description="changed"), None)
    minted = services.gateway_tokens.mint(
        caller, "a-box", NewGatewayToken(gateway=config.id, secret="A"), None
    )
    use = admit(services, minted.token).use
    services.gateway_uses.end([UseEnd(use, 200, 1, 2, 3, 0)])
    assert services.gateway_tokens.revoke_box(caller, "a-box", None) == 1
    services.gateway_configs.delete(caller, config.id, None)


def use_gateway_keys(operator: Services, server: Services) -> None:
    """Verify the key of a gateway, and look at the switch, as each admission does."""
    key = operator.gateway_keys.new("a gateway")
    operator.gateway_keys.add(key.name, key.token)
    assert server.gateway_keys.authenticate(key.token) == key.id
    assert server.gateway_switch.stopped_since() is None


def use_lanes(database: PostgresqlDatabase, tenant: Tenant) -> None:
    """Take the places of two records at once, which makes another lane, and read records."""
    account_id = tenant.caller.account_id
    with database.writing() as work, database.writing() as other:
        first, second = (each.audit_events.take_place(account_id)[0] for each in (work, other))
        assert first != second
        assert other.audit_events.between(account_id, first, 0, 1, 1) != []


def rights_of(statement: ClauseElement) -> set[tuple[str, str]]:
    """The rights that a statement needs, as table and right."""
    rights = set()
    for part in iterate(statement):
        if isinstance(part, Column) and isinstance(part.table, Table):
            rights.add((part.table.name, "SELECT"))
        if isinstance(part, Insert | Update | Delete):
            assert isinstance(part.table, Table)
            rights.add((part.table.name, part.__visit_name__.upper()))
        if isinstance(part, Select):
            rights |= {(name, "UPDATE") for name in locked_by(part)}
    return rights


def locked_by(select: "Select[Any]") -> set[str]:
    """The tables whose rows a SELECT locks."""
    locking = select._for_update_arg
    if locking is None:
        return set()
    sources = locking.of or select.columns_clause_froms
    return {each.name for source in sources for each in iterate(source) if isinstance(each, Table)}


def test_the_rights_of_the_server_are_those_of_the_statements_that_it_runs(
    statements: list[ClauseElement],
) -> None:
    needed: dict[str, set[str]] = {VERSION: {"SELECT"}}  # of the check
    for statement in statements:
        for table, right in rights_of(statement):
            needed.setdefault(table, set()).add(right)
    granted = {
        table: {right.partition(" ")[0] for right in rights}
        for table, rights in SERVER_RIGHTS.items()
    }
    assert needed == granted


def test_the_roles_have_no_fault(roles: Roles) -> None:
    for role in (SERVER, OPERATOR):
        with closing(connect(roles.url(role))) as database:
            found = database.check()
            assert found.faults == []
            assert not any("may change the tables" in warning for warning in found.warnings)


@pytest.mark.parametrize("role", [SERVER, OPERATOR])
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE strongroom.planted (id int)",
        "CREATE TABLE public.planted (id int)",
        "CREATE TEMP TABLE secrets (id int)",
        "ALTER TABLE secrets DROP CONSTRAINT ck_secrets_id",
        "ALTER TABLE secrets OWNER TO CURRENT_USER",
        "DROP TABLE secrets",
        "TRUNCATE secrets",
        "CREATE INDEX planted ON secrets (name)",
        "CREATE RULE planted AS ON INSERT TO secrets DO NOTHING",
        "CREATE SCHEMA planted",
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE ROLE planted",
        "GRANT strongroom_owner TO strongroom_server",
        "SET ROLE strongroom_owner",
        "SET ROLE postgres",
        "COPY secrets TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_no_role_but_the_owner_changes_the_schema_or_leaves_the_database(
    roles: Roles, role: str, sql: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        roles.run(role, WRITABLE + sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM data_keys",
        "DELETE FROM wrappings",
        "DELETE FROM accounts",
        "DELETE FROM fences",
        "DELETE FROM deployment",
        "UPDATE accounts SET devbox = 1",
        "UPDATE wrappings SET key_ref = 'x'",
        "UPDATE deployment SET id = 'x'",
        "INSERT INTO fences VALUES ('x')",
        "INSERT INTO accounts SELECT * FROM accounts",
    ],
)
def test_the_server_cannot_do_what_only_the_operator_may(roles: Roles, sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        roles.run(SERVER, WRITABLE + sql)


@pytest.mark.parametrize("role", [SERVER, OPERATOR, OWNER])
def test_no_role_reads_another_database(
    roles: Roles, postgresql: PostgresqlServer, role: str
) -> None:
    other = postgresql.create_database()
    postgresql.execute(f'REVOKE ALL ON DATABASE "{other}" FROM PUBLIC')
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            postgresql.execute("SELECT 1", database=other, user=role)
    finally:
        postgresql.drop_database(other)


def test_nobody_else_reads_this_database(roles: Roles, postgresql: PostgresqlServer) -> None:
    with suppress(psycopg.errors.DuplicateObject):
        postgresql.execute("CREATE ROLE somebody_else LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        roles.run("somebody_else", "SELECT 1")


def test_a_right_that_somebody_added_is_gone_after_the_next_upgrade(roles: Roles) -> None:
    roles.run(OWNER, f"GRANT DELETE ON data_keys TO {SERVER}")
    with closing(roles.process(OPERATOR)) as services:
        services.setup.upgrade()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        roles.run(SERVER, WRITABLE + "DELETE FROM data_keys")


def test_every_table_has_its_rights() -> None:
    assert SERVER_RIGHTS.keys() == {*metadata.tables, VERSION}


def test_whoever_may_make_roles_and_owns_the_database_can_run_the_file(tmp_path: Path) -> None:
    with postgresql_server() as server:
        server.execute("CREATE ROLE managed LOGIN CREATEROLE CREATEDB")
        server.execute("CREATE DATABASE managed", user="managed")
        for _ in range(2):
            make_roles(server, "managed", user="managed")
        with closing(connect(server.url("managed", user=OWNER))) as database:
            database.upgrade()
        with closing(connect(server.url("managed", user=SERVER))) as database:
            assert database.check().faults == []


def test_addresses_of_roles_may_come_from_files(roles: Roles, tmp_path: Path) -> None:
    terminal = Terminal(roles.home)
    for name, role in (("DATABASE_URL", OPERATOR), ("MIGRATION_DATABASE_URL", OWNER)):
        file = tmp_path / name
        create(file, roles.url(role).encode() + b"\n")
        terminal.environ[f"STRONGROOM_{name}_FILE"] = str(file)
    terminal.answer("db", "upgrade")
    checked = terminal.json("check")
    assert checked["ok"]
    shown = {each["subject"]: each["facts"] for each in checked["looked_at"]}
    assert shown["STRONGROOM_DATABASE_URL"] == "not shown (file)"
    assert shown["STRONGROOM_MIGRATION_DATABASE_URL"] == "not shown (file)"


@pytest.mark.parametrize("role", [SERVER, OPERATOR])
def test_a_role_that_may_not_migrate_leads_to_the_setting(roles: Roles, role: str) -> None:
    empty = roles.server.create_database()
    make_roles(roles.server, empty)
    with (
        closing(connect(roles.server.url(empty, user=role))) as database,
        pytest.raises(DatabaseMisconfigured, match="STRONGROOM_MIGRATION_DATABASE_URL"),
    ):
        database.upgrade()


@pytest.mark.parametrize("role", [SERVER, OPERATOR])
def test_an_upgrade_with_nothing_to_do_needs_no_right(roles: Roles, role: str) -> None:
    with closing(connect(roles.url(role))) as database:
        assert database.upgrade() is None


@pytest.mark.parametrize(
    ("user", "sentence"),
    [(OWNER, None), (SERVER, "may not make tables"), ("unknown", "refuses the user")],
)
def test_the_address_for_migrations_is_looked_at_and_never_keeps_a_server_from_serving(
    roles: Roles, user: str, sentence: str | None
) -> None:
    options = ServerOptions(migration_url=roles.url(user))
    with closing(connect(roles.url(SERVER), options)) as database:
        found = database.check()
    setting = "STRONGROOM_MIGRATION_DATABASE_URL: "
    about = [each for each in found.warnings if each.startswith(setting)]
    assert found.faults == []
    assert [sentence in each for each in about if sentence] == ([True] if sentence else [])
    assert bool(about) == bool(sentence)
