"""The files for containers of the gateway fit the settings, and give it nothing of the server's."""

import ipaddress
import re
from typing import Any

import pytest
import yaml

from config import load
from config.gateway_settings import METADATA
from config.settings import NAMES
from tests.support.containers import CONTAINERS, ROOT, compose_with_gateways, stages

UNIT = ROOT / "config" / "strongroom-gateway.service"
GATEWAYS = ("gateway-a", "gateway-b")
NODES = ("node-a", "node-b")
USER = 10_003
GROUP = 10_001


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose_with_gateways()["services"]
    return found


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CONTAINERS / "kubernetes-gateway.yaml").read_text()))


@pytest.fixture(scope="module")
def pod(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = (each for each in documents if each["kind"] == "Deployment")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (each for each in pod["containers"] if each["name"] == name)
    return found


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def volumes(service: dict[str, Any]) -> dict[str, str]:
    """The names of the volumes, by the paths where they are."""
    return {path: name for name, path, *_ in (each.split(":") for each in service["volumes"])}


def test_the_gateway_starts_as_its_service_does(
    services: dict[str, Any], pod: dict[str, Any]
) -> None:
    (started,) = re.findall("(?m)^ExecStart=.*/bin/(.*)$", UNIT.read_text())
    commands = [services[each]["command"] for each in GATEWAYS]
    for command in (*commands, container(pod, "gateway")["command"]):
        assert " ".join(command) == started


@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_gateway_shares_an_admission_socket_with_its_node_and_nothing_else(
    services: dict[str, Any], letter: str
) -> None:
    gateway, node = (services[f"{kind}-{letter}"] for kind in ("gateway", "node"))
    shared = {*volumes(gateway).values()} & {*volumes(node).values()}
    assert shared == {f"admission-{letter}"}
    assert not {*gateway["secrets"]} & {*node["secrets"]}
    settings = load(gateway["environment"])
    assert settings.gateway_socket == node["environment"]["STRONGROOM_GATEWAY_SOCKET"]
    assert settings.gateway_url == node["environment"]["STRONGROOM_GATEWAY_URL"]
    assert str(settings.gateway_key_file) == f"/run/secrets/{gateway['secrets'][0]}"
    assert node["environment"]["STRONGROOM_GATEWAY_USER"] == gateway["user"].partition(":")[0]


def test_only_the_gateways_and_nginx_have_a_network(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in GATEWAYS:
            assert service["networks"] == ["egress"]
        elif name != "front":
            assert service["network_mode"] == "none"
    assert "networks" not in services["front"]  # its own, so that it does not reach the gateways'


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_composed_gateway_is_confined(services: dict[str, Any], name: str) -> None:
    gateway = services[name]
    assert gateway["user"] == f"{USER}:{GROUP}"
    assert gateway["read_only"]
    assert gateway["cap_drop"] == ["ALL"]
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    grace = int(gateway["stop_grace_period"].removesuffix("s"))
    (unit,) = re.findall("(?m)^TimeoutStopSec=(.*)$", UNIT.read_text())
    assert grace >= int(unit)


def test_every_volume_and_secret_of_the_composed_files_is_declared() -> None:
    composed = compose_with_gateways()
    used = {
        each.partition(":")[0]
        for service in composed["services"].values()
        for each in service["volumes"]
        if not each.startswith(".")
    }
    assert used == set(composed["volumes"])
    secrets = {name for each in composed["services"].values() for name in each.get("secrets", ())}
    assert secrets == set(composed["secrets"])


def test_directories_of_the_image_belong_to_who_listens_there() -> None:
    made = [text for text in stages()["server"].all("RUN") if text.startswith("install ")]
    owners = {text.split()[-1]: re.findall("--owner=([0-9]+)", text)[0] for text in made}
    assert owners["/run/strongroom-admission"] == stages()["server"].last("USER").split(":")[0]
    assert owners["/run/strongroom-gateway"] == str(USER)


def test_nginx_reaches_the_sockets_of_both_gateways(services: dict[str, Any]) -> None:
    (edit,) = (each for each in stages()["front-of-gateways"].all("RUN") if "gateway-a" in each)
    asked = set(re.findall("server unix:([^ ;]+-[ab])/gateway.sock", edit))
    mounted = volumes(services["front"])
    assert {mounted[path] for path in asked} == set(GATEWAYS)


def test_settings_of_the_pod_are_settings_of_one_gateway(pod: dict[str, Any]) -> None:
    server, gateway = (environment(container(pod, each)) for each in ("server", "gateway"))
    known = {*NAMES, *(f"{name}_FILE" for name in NAMES)}
    assert {*server, *gateway} <= known
    for name in ("STRONGROOM_GATEWAY_URL", "STRONGROOM_GATEWAY_SOCKET"):
        assert server[name] == gateway[name]
    assert server["STRONGROOM_GATEWAY_USER"] == str(USER)
    settings = load(gateway)
    mounts = {each["mountPath"]: each["name"] for each in container(pod, "gateway")["volumeMounts"]}
    assert mounts[str(settings.gateway_key_file.parent)] == "gateway-key"
    assert [str(each) for each in settings.gateway_bind] == [
        "unix:/run/strongroom-gateway/gateway.sock"
    ]


def test_the_gateway_of_a_pod_has_neither_keys_nor_database(pod: dict[str, Any]) -> None:
    gateway = container(pod, "gateway")
    mounted = {each["name"] for each in gateway["volumeMounts"]}
    assert mounted == {"admission", "gateway", "gateway-key"}
    assert not [each for each in environment(gateway) if "DATABASE" in each or "KEYS" in each]
    assert gateway["securityContext"]["runAsUser"] == USER
    assert gateway["securityContext"]["runAsGroup"] == pod["securityContext"]["runAsGroup"]


def test_containers_of_the_pod_are_confined(pod: dict[str, Any]) -> None:
    used = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
    assert used == {volume["name"] for volume in pod["volumes"]}
    users = set()
    for each in pod["containers"]:
        confined = {**pod["securityContext"], **each["securityContext"]}
        users.add(confined["runAsUser"])
        assert confined["runAsNonRoot"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
    assert len(users) == len(pod["containers"])


def test_only_pods_of_the_gateway_reach_the_internet(documents: list[dict[str, Any]]) -> None:
    policies = {
        each["spec"]["podSelector"]["matchLabels"]["app"]: each["spec"]["egress"]
        for each in documents
        if each["kind"] == "NetworkPolicy"
    }
    assert {*policies} == {"strongroom", "strongroom-gateway"}
    assert {port["port"] for rule in policies["strongroom"] for port in rule["ports"]} == {53, 5432}
    (out,) = (rule["to"] for rule in policies["strongroom-gateway"] if "to" in rule)
    four, six = (each["ipBlock"] for each in out)
    closed = [ipaddress.ip_network(each) for each in four["except"]]
    for network in METADATA:
        if isinstance(network, ipaddress.IPv4Network):
            assert any(
                network.subnet_of(each)
                for each in closed
                if isinstance(each, ipaddress.IPv4Network)
            )
        else:
            assert not ipaddress.IPv6Network(six["cidr"]).overlaps(network)
