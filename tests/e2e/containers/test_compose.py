"""The compose file, run without a container engine: nginx, two nodes and PostgreSQL serve.

The images are not built here. ``tests/support/containers.py`` says what takes their place.
"""

import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.containers.conftest import FRONT, PATH, start_server, wait_until_healthy
from tests.support.containers import Engine, compose, stages
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of nginx, with the API key that ``setup`` left."""
    port = free_port()
    engine.build_front(port)
    command = stages()["front-of-two"].command()
    engine.start("front", command, user=FRONT, env={"PATH": PATH})
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
    wait_until_healthy(engine, "node-a")


def test_a_probe_fails_where_nothing_answers(engine: Engine) -> None:
    probe, address = stages()["server"].command("HEALTHCHECK"), "127.0.0.1:8080"
    elsewhere = [each.replace(address, "127.0.0.1:8081") for each in probe]
    assert engine.run_in("node-b", elsewhere) == 1
