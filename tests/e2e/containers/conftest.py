"""The services of the compose file, started once, and what starts one of them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.certificates import make_certificate
from tests.support.containers import (
    CONTAINERS,
    ROOT,
    Engine,
    compose,
    database_programs,
    environment_of,
    require_namespaces,
    stages,
)
from tests.support.programs import require
from tests.support.waiting import wait_until

SERVER = stages()["server"].last("USER")
FRONT = stages()["front-of-two"].last("USER")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="package")
def engine() -> Iterator[Engine]:
    """All services, started as the compose file orders them."""
    require_namespaces(SERVER)
    require("nginx")
    with TemporaryDirectory(prefix="strongroom-") as directory:
        Path(directory).chmod(0o755)
        engine = Engine(Path(directory))
        try:
            engine.build_server()
            start_all(engine)
            yield engine
        finally:
            engine.close()


def start_all(engine: Engine) -> None:
    make_secrets(engine)
    start_database(engine)
    start_server(engine, "setup")
    assert engine.wait("setup") == 0, engine.log("setup")
    for node in ("node-a", "node-b"):
        start_server(engine, node)
    for node in ("node-a", "node-b"):
        wait_until_healthy(engine, node)


def make_secrets(engine: Engine) -> None:
    """Make the files that docs/containers.md has the operator make."""
    made = make_certificate(engine.files, "127.0.0.1")
    made.file.rename(engine.files / "tls.crt")
    made.key_file.rename(engine.files / "tls.key")
    script = (ROOT / "docs" / "containers.md").read_text().split("```sh\n")[1].split("```")[0]
    subprocess.run(["sh", "-ec", script], cwd=engine.files, check=True)


def start_database(engine: Engine) -> None:
    """Do what the entry point of PostgreSQL's image does."""
    programs, service = database_programs(), compose()["services"]["database"]
    uid, gid = map(int, service["user"].split(":"))
    for volume in ("data", "database-socket"):
        os.chown(engine.path("volumes", volume), uid, gid)
    engine.path("volumes", "database-socket").chmod(0o755)
    password = "/run/secrets/superuser_password"
    arguments = service["environment"]["POSTGRES_INITDB_ARGS"]
    postgres, *options = service["command"]
    start = (CONTAINERS / "database.sql").read_text()
    start = start.replace(
        "/etc/strongroom/postgresql-roles.sql", f"{ROOT}/config/postgresql-roles.sql"
    )
    (engine.files / "start.sql").write_text(start)
    script = f"""
        cd /var/lib/postgresql/data
        initdb -D . -U postgres --pwfile={password} --no-sync {arguments} >/dev/null
        ({postgres} -D . {" ".join(options)} -c fsync=off) &
        until pg_isready --quiet --host=/run/postgresql; do :; done
        PGPASSWORD=$(cat {password}) psql --quiet -v ON_ERROR_STOP=1 --no-psqlrc \
            -h /run/postgresql -U postgres -d postgres -f {engine.files}/start.sql
        touch started
        wait
    """
    env = {"PATH": f"{programs}:{PATH}", "LC_ALL": "C.UTF-8"}
    engine.start("database", ["sh", "-ec", script], user=service["user"], env=env)
    started = engine.path("volumes", "data") / "started"
    wait_until(started.exists)
    check = service["healthcheck"]["test"][1:]
    assert engine.run_in("database", check, env["PATH"]) == 0


def start_server(engine: Engine, name: str) -> None:
    command = compose()["services"][name].get("command") or stages()["server"].command()
    engine.start(name, command, user=SERVER, env=environment_of(name))


def wait_until_healthy(engine: Engine, node: str) -> None:
    """Wait for the socket, which costs nothing, then for the probe of the image."""
    wait_until((engine.path("volumes", node.replace("node", "socket")) / "server.sock").exists)
    probe = stages()["server"].command("HEALTHCHECK")
    wait_until(lambda: engine.run_in(node, probe) == 0)
