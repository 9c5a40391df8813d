"""The compose file, run without a container engine: nginx, two nodes and PostgreSQL serve.

The images are not built here. ``tests/support/containers.py`` says what takes their place.
"""

import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
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
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.waiting import wait_until

SERVER = stages()["server"].last("USER")
FRONT = stages()["front-of-two"].last("USER")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="module")
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
        wait_until(partial(is_healthy, engine, node))


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
    env = {"PATH": f"{programs}:{_PATH}", "LC_ALL": "C.UTF-8"}
    engine.start("database", ["sh", "-ec", script], user=service["user"], env=env)
    started = engine.path("volumes", "data") / "started"
    wait_until(started.exists)
    check = service["healthcheck"]["test"][1:]
    assert engine.run_in("database", check, env["PATH"]) == 0


def start_server(engine: Engine, name: str) -> None:
    command = compose()["services"][name].get("command") or stages()["server"].command()
    engine.start(name, command, user=SERVER, env=environment_of(name))


def is_healthy(engine: Engine, node: str) -> bool:
    return engine.run_in(node, stages()["server"].command("HEALTHCHECK")) == 0


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of nginx, with the API key that ``setup`` left."""
    port = free_port()
    engine.build_front(port)
    command = stages()["front-of-two"].command()
    engine.start("front", command, user=FRONT, env={"PATH": _PATH})
    lines = (engine.path("volumes", "home") / "client.env").read_text().splitlines()
    key = next(line.partition("=")[2] for line in lines if line.startswith("RUNLOOP_API_KEY="))
    trust = ssl.create_default_context(cafile=str(engine.files / "ca.pem"))
    with httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        verify=trust,
        http2=True,
        headers={"Authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=30,
    ) as client:
        wait_until(lambda: answers(client))
        yield client
    engine.send("front", signal.SIGQUIT)
    assert engine.wait("front") == 0


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_clients_are_served_through_nginx_by_both_nodes(
    engine: Engine, client: httpx.Client
) -> None:
    made = client.post("/v1/secrets", json={"name": "A", "value": "a value"})
    assert made.status_code == 200, made.text
    assert [client.get("/v1/secrets/A").json() for _ in range(8)] == [made.json()] * 8
    for node in ("node-a", "node-b"):
        assert '"/v1/secrets/<name>"' in engine.log(node).replace("<secret_name>", "<name>")


def test_no_credential_is_in_a_log(engine: Engine, client: httpx.Client) -> None:
    hidden = [
        client.headers["Authorization"].removeprefix("Bearer "),
        *((engine.files / name).read_text().strip() for name in compose()["secrets"]),
    ]
    for name in ("database", "setup", "node-a", "node-b"):
        log = engine.log(name)
        assert not [each for each in hidden if each in log]


def test_a_server_ends_in_order_and_the_other_goes_on(engine: Engine, client: httpx.Client) -> None:
    engine.send("node-a", getattr(signal, stages()["server"].last("STOPSIGNAL")))
    assert engine.wait("node-a") == 0
    assert [client.get("/v1/secrets").status_code for _ in range(8)] == [200] * 8
    start_server(engine, "node-a")
    wait_until(lambda: is_healthy(engine, "node-a"))


def test_a_probe_fails_where_nothing_answers(engine: Engine) -> None:
    probe, address = stages()["server"].command("HEALTHCHECK"), "127.0.0.1:8080"
    elsewhere = [each.replace(address, "127.0.0.1:8081") for each in probe]
    assert engine.run_in("node-b", elsewhere) == 1


def test_a_setup_that_is_run_again_changes_nothing(engine: Engine) -> None:
    before = (engine.path("volumes", "home") / "client.env").read_text()
    start_server(engine, "setup")
    assert engine.wait("setup") == 0, engine.log("setup")
    assert (engine.path("volumes", "home") / "client.env").read_text() == before
