"""The files for containers fit the images, the settings and each other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import load
from config.settings import NAMES
from tests.support.containers import CONTAINERS, ROOT, Stage, compose, environment_of, stages

FINAL = ("server", "front", "front-of-two", "front-of-gateway", "front-of-gateways")
UNIT = ROOT / "config" / "strongroom.service"
BINARIES = "/opt/strongroom/.venv/bin/"


def kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CONTAINERS / "kubernetes.yaml").read_text()))


def pods() -> Iterator[dict[str, Any]]:
    """The pods of the example."""
    for each in kubernetes():
        if each["kind"] in {"Job", "Deployment"}:
            yield each["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container, after its pod."""
    for pod in pods():
        for container in pod["containers"]:
            yield pod, container


def stage_of(image: str) -> Stage:
    return stages()["front" if image == "strongroom-front" else "server"]


@pytest.mark.parametrize("name", FINAL)
def test_an_image_runs_as_a_user_without_privileges(name: str) -> None:
    user, group = stages()[name].last("USER").split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000


def test_the_server_starts_as_its_service_does() -> None:
    (started,) = re.findall("(?m)^ExecStart=(.*)$", UNIT.read_text())
    assert BINARIES + " ".join(stages()["server"].command()) == started


def test_packages_are_installed_as_make_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for options in (
        "--require-hashes -r requirements/runtime.txt",
        "--no-deps --no-build-isolation -e .",
    ):
        assert options in makefile
        assert sum(options in command for command in stages()["build"].all("RUN")) == 1


@pytest.mark.parametrize("name", ["build", *FINAL])
def test_what_is_copied_is_source_code_that_the_build_may_see(name: str) -> None:
    admitted = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    for text in stages()[name].all("COPY"):
        if not text.startswith("--from="):
            for source in text.split()[:-1]:
                assert (ROOT / source).exists()
                assert Path(source).parts[0] in admitted


def test_the_build_sees_nothing_that_is_not_listed() -> None:
    first, *others = (ROOT / ".dockerignore").read_text().splitlines()
    assert first == "*"
    assert not {"!var", "!.git", "!.venv", "!tests", "!."} & set(others)


@pytest.mark.parametrize("name", ["build", *FINAL])
def test_no_credential_is_an_argument_or_a_variable_of_an_image(name: str) -> None:
    stage = stages()[name]
    assert stage.all("ARG") == []
    assert stage.all("ADD") == []
    for variable in stage.all("ENV"):
        assert not re.search("(?i)password|secret|token|key", variable)


def test_variables_of_the_image_are_settings() -> None:
    ours = {text.partition("=")[0] for text in stages()["server"].all("ENV")}
    assert {name for name in ours if name.startswith("STRONGROOM_")} <= set(NAMES)


@pytest.mark.parametrize("node", ["setup", "node-a", "node-b"])
def test_the_settings_of_a_composed_node_are_valid(node: str, tmp_path: Path) -> None:
    environ = environment_of(node)
    for name in [each for each in environ if each.endswith("_URL_FILE")]:
        path = Path(environ[name])
        assert path.name in compose()["services"][node]["secrets"]
        environ[name] = str(tmp_path / path.name)
        Path(environ[name]).write_text("postgresql:///strongroom?host=/run/postgresql&user=x\n")
    bind = [str(each) for each in load(environ).bind]
    assert bind == ["unix:/run/strongroom/server.sock", "127.0.0.1:8080"]
    assert bind[1] in stages()["server"].command("HEALTHCHECK")


def test_composed_services_are_confined() -> None:
    services = compose()["services"]
    for name in ("setup", "node-a", "node-b", "front"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in services[name]
        assert "privileged" not in services[name]


def test_no_composed_service_gets_a_credential_in_its_environment() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL|KEY", name):
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")


def test_every_composed_volume_is_declared() -> None:
    used = {
        each.partition(":")[0]
        for service in compose()["services"].values()
        for each in service["volumes"]
        if not each.startswith(".")
    }
    assert used == set(compose()["volumes"])


def test_nginx_reaches_the_sockets_of_both_nodes() -> None:
    asked = set(
        re.findall("unix:([^ ;]+)/server.sock", (ROOT / "config/nginx-two-nodes.conf").read_text())
    )
    services = compose()["services"]
    reached = {}
    for each in services["front"]["volumes"]:
        volume, target, *_ = each.split(":")
        reached[volume] = target
    for node in ("node-a", "node-b"):
        (volume,) = (
            each.partition(":")[0]
            for each in services[node]["volumes"]
            if each.endswith(":/run/strongroom")
        )
        asked.remove(reached[volume])
    assert not asked


def test_settings_of_pods_are_settings() -> None:
    known = {*NAMES, *(f"{name}_FILE" for name in NAMES)}
    for _, container in containers():
        assert {each["name"] for each in container.get("env", ())} <= known


def test_files_that_settings_of_pods_name_are_mounted() -> None:
    for _, container in containers():
        mounts = [Path(each["mountPath"]) for each in container["volumeMounts"]]
        for each in container.get("env", ()):
            if each["name"].endswith("_FILE") or each["name"] == "STRONGROOM_HOME":
                assert any(Path(each["value"]).is_relative_to(mount) for mount in mounts)


def test_the_addresses_of_pods_are_valid_and_probed() -> None:
    for _, container in containers():
        environ = {each["name"]: each["value"] for each in container.get("env", ())}
        if environ:
            bind = load({"STRONGROOM_BIND": environ["STRONGROOM_BIND"]}).bind
            assert [str(each) for each in bind] == [
                "unix:/run/strongroom/server.sock",
                "127.0.0.1:8080",
            ]
        for kind, path in (("startupProbe", "/readyz"), ("livenessProbe", "/healthz")):
            if kind in container:
                probe = stages()["server"].command("HEALTHCHECK")
                assert container[kind]["exec"]["command"] == [*probe[:-1], path]


def test_every_volume_of_a_pod_is_declared_and_used() -> None:
    for pod in pods():
        used = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
        assert used == {volume["name"] for volume in pod["volumes"]}


def test_secrets_of_pods_are_for_the_group_only() -> None:
    for pod in pods():
        for volume in pod["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440


def test_containers_of_pods_are_confined_as_the_user_of_their_image() -> None:
    for pod, container in containers():
        confined = {**pod["securityContext"], **container["securityContext"]}
        user = f"{confined['runAsUser']}:{confined['runAsGroup']}"
        assert user == stage_of(container["image"]).last("USER")
        assert confined["runAsNonRoot"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}


def test_nginx_in_a_pod_finds_the_socket_and_the_certificate() -> None:
    (front,) = (each for _, each in containers() if each["image"] == "strongroom-front")
    mounts = {each["mountPath"] for each in front["volumeMounts"]}
    text = (ROOT / "config" / "nginx.conf").read_text()
    for path in (
        "/run/strongroom/server.sock",
        "/etc/strongroom/tls.crt",
        "/etc/strongroom/tls.key",
    ):
        assert path in text
        assert str(Path(path).parent) in mounts
