"""The shipped server on PostgreSQL as in production: TLS, SCRAM, and a role for each part."""

from pathlib import Path

import pytest
import requests

from tests.support.ports import free_port
from tests.support.postgresql_roles import OPERATOR, OWNER, SERVER, make_roles
from tests.support.secure_postgresql import PASSWORD, SecureServer, secure_postgresql_server
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow


def prepare(server: SecureServer) -> str:
    """Make a database by the shipped file, and give its roles a password. Returns its name."""
    name = server.server.create_database()
    make_roles(server.server, name)
    for role in (OWNER, OPERATOR, SERVER):
        server.server.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    return name


def setting_file(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_each_part_works_by_its_own_role_over_verified_tls(tmp_path: Path) -> None:
    with secure_postgresql_server() as postgresql:
        database = prepare(postgresql)
        files = {
            part: setting_file(tmp_path, part, postgresql.url(database, f"strongroom_{part}"))
            for part in ("owner", "operator", "server")
        }
        environment = {
            "STRONGROOM_HOME": str(tmp_path / "home"),
            "STRONGROOM_WORKERS": "1",
            "PORT": str(free_port()),
        }
        node = Strongroom(tmp_path / "home", environment, tmp_path / "log")
        node.command(
            "init",
            STRONGROOM_DATABASE_URL_FILE=files["operator"],
            STRONGROOM_MIGRATION_DATABASE_URL_FILE=files["owner"],
        )
        node.environment["STRONGROOM_DATABASE_URL_FILE"] = files["server"]
        checked = node.command("check")
        try:
            node.start()
            headers = {"Authorization": f"Bearer {node.api_key}", "x-request-id": "once"}
            secret = {"name": "A_NAME", "value": "a value"}
            for _ in range(2):  # a retry has its effect once
                made = requests.post(
                    f"{node.url}/v1/secrets", json=secret, headers=headers, timeout=30
                )
                assert made.status_code == 200, made.text
            node.environment.update(node.client_environment)
            ran = node.command("run", "--secret", "A_NAME", "--", "printenv", "A_NAME")
        finally:
            node.kill()
        log = node.log.read_text() + postgresql.server.log.read_text()
    assert "may change the tables" not in checked.stderr
    assert ran.stdout == "a value\n"
    assert PASSWORD not in checked.stdout + checked.stderr + log
