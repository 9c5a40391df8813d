"""Two nodes are upgraded one after the other, with a migration, while clients write through nginx.

Each node runs the code of its version as a process of its own: old code, then new code with one
migration more. Clients are as shipped. No request fails after their own retries, what was
acknowledged is there once, and no token is redeemed twice.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.load import Load, assert_each_write_is_there_once, load
from tests.support.certificates import Certificate
from tests.support.javascript import JavaScript
from tests.support.nginx import nginx
from tests.support.other_code import environment_of, run_in
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.strongroom import Strongroom
from tests.support.two_versions import Versions, two_versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RESPONSES = 3
PREFIX = "ROLLING"
COMMAND = """
import sys
from app.cli.main import main
sys.argv = ["strongroom", *{arguments!r}]
main()
"""


@dataclass(slots=True)
class Node(Strongroom):
    """A node that runs the code of one version.

    Attributes:
        code: The directory of that code.
    """

    code: Path = Path()

    def launch(self, **settings: str) -> None:
        """Start gunicorn as shipped."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"],
                cwd=self.code,
                env=environment_of(self.code, {**self.environment, **settings}),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> str:
        """Run the command ``strongroom`` of its version, and return what it prints."""
        return run_in(self.code, COMMAND.format(arguments=arguments), self.environment)

    def replace_code(self, code: Path) -> None:
        """Stop it as a service manager does, and start the other version."""
        self.stop()
        self.code = code
        self.start()


@dataclass(frozen=True)
class Site:
    """Two nodes on one database.

    Attributes:
        database: Its name.
        sockets: Those on which the nodes listen for nginx.
    """

    versions: Versions
    server: PostgresqlServer
    database: str
    nodes: tuple[Node, Node]
    sockets: tuple[Path, Path]

    def version(self) -> str:
        """The revision of the schema."""
        ((revision,),) = self.execute("SELECT version_num FROM alembic_version")
        return str(revision)

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        """Run a statement as the superuser."""
        return self.server.execute(sql, database=self.database)


@pytest.fixture
def site(tmp_path: Path, postgresql: PostgresqlServer) -> Iterator[Site]:
    """Both nodes serve the old code."""
    versions = two_versions(tmp_path / "code")
    database = postgresql.create_database()
    with TemporaryDirectory(prefix="strongroom-") as directory, ExitStack() as stack:
        sockets = Path(directory, "a.sock"), Path(directory, "b.sock")
        first, second = (
            _node(tmp_path, name, socket, postgresql.url(database), versions.old)
            for name, socket in zip("ab", sockets, strict=True)
        )
        first.run("init")
        second.home.mkdir(mode=0o700)
        for node in (first, second):
            stack.callback(node.kill)
            node.start()
        yield Site(versions, postgresql, database, (first, second), sockets)
    postgresql.drop_database(database)


def _node(directory: Path, name: str, socket: Path, url: str, code: Path) -> Node:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
        "PORT": str(port),
        "STRONGROOM_HOME": str(directory / name),
        "STRONGROOM_KEYS": f"local-fernet:{directory}/a/keys",
        "STRONGROOM_DATABASE_URL": url,
        "STRONGROOM_BIND": f"unix:{socket} 127.0.0.1:{port}",
        "STRONGROOM_TRUSTED_PROXIES": "1",
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_THREADS": "8",
    }
    return Node(directory / name, environment, directory / f"{name}.log", code=code)


@pytest.fixture
def url(
    site: Site, tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of nginx, whose certificate clients trust."""
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(certificate.ca_file))
    with nginx(tmp_path, site.sockets, certificate) as front:
        yield front.url


def upgrade(site: Site, writing: Load) -> None:
    """Migrate by the new code while both nodes serve the old code, then replace each node."""
    first, before = site.nodes[0], site.version()
    run_in(site.versions.new, COMMAND.format(arguments=("db", "upgrade")), first.environment)
    after = site.version()
    assert after != before
    writing.wait_for_each(RESPONSES)
    first.run("check")  # old code accepts the schema, and leaves it as it is
    first.run("db", "upgrade")
    assert site.version() == after
    for node in site.nodes:
        node.replace_code(site.versions.new)
        writing.wait_for_each(RESPONSES)


def test_two_nodes_are_upgraded_with_a_migration_while_clients_write(
    site: Site, url: str, javascript: JavaScript
) -> None:
    with load(javascript, [url, url], site.nodes[0].api_key, PREFIX) as writing:
        writing.wait_for_each(RESPONSES)
        upgrade(site, writing)
    assert writing.failures == []
    assert_each_write_is_there_once(site.execute, writing, PREFIX)
