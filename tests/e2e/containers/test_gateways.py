"""The compose file of the gateways, run like the other: agents are served without a home."""

import signal
import ssl
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.containers.conftest import FRONT, PATH, SERVER
from tests.support.certificates import make_certificate
from tests.support.containers import ROOT, Engine, compose_with_gateways, environment_of, stages
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import Recorder, recorder
from tests.support.nginx import GATEWAY_NAME
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

CANARY = "canary-of-the-containers"
_AUTHORITY = "ca-of-the-gateway.pem"
_FOR_A_TRIAL = {"STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8"}
"""The upstream is on loopback."""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Recorder]:
    """An upstream, with the certificate that the gateway's name has, too."""
    made = make_certificate(tmp_path_factory.mktemp("made"), "localhost", GATEWAY_NAME)
    names = {"gateway.crt": made.file, "gateway.key": made.key_file, _AUTHORITY: made.ca_file}
    for name, file in names.items():
        (engine.files / name).write_bytes(file.read_bytes())
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.file, made.key_file)
    with LoopThread() as thread, thread.entered(recorder(tls)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def services(engine: Engine, upstream: Recorder) -> dict[str, Any]:
    """The services, started: nodes beside those that run already, then gateways, then nginx."""
    assert upstream.port
    make_key(engine)
    composed = compose_with_gateways()
    services: dict[str, Any] = composed["services"]
    for letter in "ab":
        node = services[f"node-{letter}"]
        own = [each.replace("socket-", "with-gateway-", 1) for each in node["volumes"][1:2]]
        volumes = [node["volumes"][0], *own, *node["volumes"][2:]]
        start(engine, composed, f"node-{letter}", SERVER, node | {"volumes": volumes})
        wait_until((engine.path("volumes", f"admission-{letter}") / "admission.sock").exists)
    for letter in "ab":
        name = f"gateway-{letter}"
        start(engine, composed, name, services[name]["user"], services[name])
        check = services[name]["healthcheck"]["test"][1:]
        wait_until(lambda name=name, check=check: engine.run_in(f"with-{name}", check) == 0)  # type: ignore[misc]
    return services


def make_key(engine: Engine) -> None:
    """Run what docs/containers.md has the operator run."""
    page = (ROOT / "docs" / "containers.md").read_text().partition("### The agent gateway")[2]
    script = page.split("```sh\n")[1].split("```")[0]
    reading = "docker compose run --rm --entrypoint cat setup /var/lib/strongroom"
    assert reading in script
    script = script.replace(reading, f"cat {engine.path('volumes', 'home')}")
    subprocess.run(["sh", "-ec", script], cwd=engine.files, check=True)


def start(
    engine: Engine, composed: dict[str, Any], name: str, user: str, service: dict[str, Any]
) -> None:
    env = environment_of(name, composed) | _FOR_A_TRIAL
    if "gateway" in name:
        env["STRONGROOM_GATEWAY_CA_FILE"] = str(engine.files / _AUTHORITY)
    command = service.get("command") or stages()["server"].command()
    engine.start(f"with-{name}", command, user=user, env=env, service=service)


@pytest.fixture(scope="module")
def minted(engine: Engine, services: dict[str, Any], upstream: Recorder) -> dict[str, Any]:
    """A gateway token, asked for where nginx asks."""
    assert services
    lines = (engine.path("volumes", "home") / "client.env").read_text().splitlines()
    key = next(line.partition("=")[2] for line in lines if line.startswith("RUNLOOP_API_KEY="))
    socket = engine.path("volumes", "with-gateway-a") / "server.sock"
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(socket)),
        base_url="http://node/v1",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    ) as client:
        answer = client.post("secrets", json={"name": "OF_AN_AGENT", "value": CANARY})
        endpoint = f"https://localhost:{upstream.port}"
        auth = {"auth_mechanism": {"type": "bearer"}}
        answer = client.post(
            "gateway-configs", json={"name": "upstream", "endpoint": endpoint, **auth}
        )
        assert answer.status_code == 200, answer.text
        body = {"gateway": "upstream", "secret": "OF_AN_AGENT"}
        answer = client.post("devboxes/box/create_gateway_token", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def test_agents_are_served_through_nginx_by_the_gateways_of_both_nodes(
    engine: Engine, services: dict[str, Any], minted: dict[str, Any], upstream: Recorder
) -> None:
    port = free_port()
    engine.build_front(port, "front-of-gateways")
    command = stages()["front-of-gateways"].command()
    engine.start("front", command, user=FRONT, env={"PATH": PATH}, service=services["front"])
    trust = ssl.create_default_context(cafile=str(engine.files / _AUTHORITY))
    path = httpx.URL(minted["url"]).path
    with httpx.Client(
        base_url=f"https://127.0.0.1:{port}", verify=trust, trust_env=False, timeout=60
    ) as client:

        def ask() -> int:
            try:
                return client.get(
                    f"{path}/v1/models",
                    headers={"Host": GATEWAY_NAME, "Authorization": f"Bearer {minted['token']}"},
                    extensions={"sni_hostname": GATEWAY_NAME},
                ).status_code
            except httpx.TransportError:
                return 0

        wait_until(lambda: ask() == 200)
        assert [ask() for _ in range(7)] == [200] * 7
    engine.send("front", signal.SIGQUIT)
    assert engine.wait("front") == 0
    assert {tuple(each.all("Authorization")) for each in upstream.requests} == {
        (f"Bearer {CANARY}",)
    }


@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_gateway_has_neither_home_nor_database(
    engine: Engine, services: dict[str, Any], letter: str
) -> None:
    assert services
    for there, expected in (
        ("/run/secrets/gateway_key", 0),
        ("/run/strongroom-admission/admission.sock", 0),
        ("/var/lib/strongroom", 1),
        ("/run/postgresql", 1),
        ("/run/secrets/server_url", 1),
    ):
        assert engine.run_in(f"with-gateway-{letter}", ["test", "-e", there]) == expected, there


def test_nothing_is_logged_that_opens_anything(engine: Engine, minted: dict[str, Any]) -> None:
    key = (engine.files / "gateway_key").read_text().strip()
    for letter in "ab":
        for name in (f"with-node-{letter}", f"with-gateway-{letter}"):
            log = engine.log(name)
            assert not [each for each in (key, minted["token"], CANARY) if each in log]
