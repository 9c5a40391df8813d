"""The shipped server on PostgreSQL as in production: TLS, SCRAM, and a role for each part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_port
from tests.support.postgresql_roles import OPERATOR, OWNER, SERVER, make_roles
from tests.support.secure_postgresql import PASSWORD, SecureServer, secure_postgresql_server
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Site:
    """A node whose settings come from files, and its database server."""

    postgresql: SecureServer
    node: Strongroom
    directory: Path

    def new_database(self) -> Mapping[str, str]:
        """Make a database by the shipped file. Returns the files with its address, by role."""
        server = self.postgresql.server
        name = server.create_database()
        make_roles(server, name)
        files = {}
        for role in (OWNER, OPERATOR, SERVER):
            server.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
            file = self.directory / f"{name}-{role}"
            file.write_text(self.postgresql.url(name, role) + "\n")
            file.chmod(0o600)
            files[role] = str(file)
        return files

    def make_deployment(self, files: Mapping[str, str]) -> None:
        """Run ``init`` as the operator's role, and let the node serve by its own."""
        self.node.command(
            "init",
            STRONGROOM_DATABASE_URL_FILE=files[OPERATOR],
            STRONGROOM_MIGRATION_DATABASE_URL_FILE=files[OWNER],
        )
        self.node.environment["STRONGROOM_DATABASE_URL_FILE"] = files[SERVER]

    def printed_output(self) -> str:
        """All that the node and the database server printed."""
        return self.node.log.read_text() + self.postgresql.server.log.read_text()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    environment = {
        "STRONGROOM_HOME": str(tmp_path / "home"),
        "STRONGROOM_WORKERS": "1",
        "PORT": str(free_port()),
    }
    node = Strongroom(tmp_path / "home", environment, tmp_path / "log")
    with secure_postgresql_server() as postgresql:
        try:
            yield Site(postgresql, node, tmp_path)
        finally:
            node.kill()


def create(node: Strongroom, name: str, request_id: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {node.api_key}", "x-request-id": request_id}
    body = {"name": name, "value": "a value"}
    return requests.post(f"{node.url}/v1/secrets", json=body, headers=headers, timeout=30)


def value_of(node: Strongroom, name: str) -> str:
    node.environment.update(node.client_environment)
    return node.command("run", "--secret", name, "--", "printenv", name).stdout


def test_each_part_works_by_its_own_role_over_verified_tls(site: Site) -> None:
    node = site.node
    site.make_deployment(site.new_database())
    checked = node.command("check")
    node.start()
    for _ in range(2):  # a retry has its effect once
        made = create(node, "A_NAME", "once")
        assert made.status_code == 200, made.text
    assert value_of(node, "A_NAME") == "a value\n"
    assert "may change the tables" not in checked.stderr
    assert PASSWORD not in checked.stdout + checked.stderr + site.printed_output()


def test_a_deployment_moves_by_the_roles_that_own_the_tables(site: Site) -> None:
    node, old, new = site.node, site.new_database(), site.new_database()
    site.make_deployment(old)
    node.start()
    assert create(node, "A_NAME", "before").ok
    copied = node.command("db", "copy", "--from-file", old[OWNER], "--to-file", new[OWNER])
    assert create(node, "ANOTHER", "meanwhile").json()["code"] == "moved"
    node.stop()
    node.environment["STRONGROOM_DATABASE_URL_FILE"] = new[SERVER]
    checked = node.command("check")
    node.start()
    assert create(node, "ANOTHER", "after").ok
    assert value_of(node, "A_NAME") == "a value\n"
    shown = copied.stdout + copied.stderr + checked.stdout + checked.stderr
    assert "may change the tables" not in checked.stderr
    assert PASSWORD not in shown + site.printed_output()
