"""The Job and a pod of the example for Kubernetes, run without a cluster.

They get their volumes as Kubernetes makes them: root's, of the group of ``fsGroup``, and the files
of Secrets behind links. Database and key file are those of the compose file.
"""

import os
import re
import subprocess
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from tests.e2e.containers.conftest import SERVER
from tests.support.containers import CONTAINERS, ROOT, Engine, environment_of, stages
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

OWN = ("home", "socket")  # each pod has others
_EMPTY_DIR = 0o2777
_DEFAULT_MODE = 0o440


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The documents of the example, by kind."""
    parsed = yaml.safe_load_all((CONTAINERS / "kubernetes.yaml").read_text())
    return {each["kind"]: each for each in parsed}


@pytest.fixture(scope="module")
def secrets_made(engine: Engine, documents: dict[str, Any]) -> None:
    """The Secrets that docs/containers.md has the operator make, and the ConfigMap."""
    urls = ("owner_url", "operator_url", "server_url")
    mount(engine, "keys", {"keys": (engine.path("volumes", "home") / "keys").read_text()})
    mount(engine, "keyring", documents["ConfigMap"]["data"])
    mount(engine, "database", {name: (engine.files / name).read_text() for name in urls})


def mount(engine: Engine, name: str, files: dict[str, str]) -> None:
    """Make a volume of files as kubelet does."""
    group = int(SERVER.partition(":")[2])
    volume = engine.path("volumes", name)
    for each, text in files.items():
        file = engine.path("volumes", f"{name}/..2026") / each
        file.write_text(text)
        os.chown(file, 0, group)
        file.chmod(_DEFAULT_MODE)
        (volume / each).symlink_to(f"..data/{each}")
    (volume / "..data").symlink_to("..2026")


def start(engine: Engine, pod: str, container: dict[str, Any]) -> None:
    """Start a container of a pod, with empty directories of its own."""
    volumes = ["database-socket:/run/postgresql"]
    for each in container["volumeMounts"]:
        name = each["name"]
        if name in OWN:
            name = f"{pod}-{name}"
            made = engine.path("volumes", name)
            os.chown(made, 0, int(SERVER.partition(":")[2]))
            made.chmod(_EMPTY_DIR)
        volumes.append(f"{name}:{each['mountPath']}{':ro' if each.get('readOnly') else ''}")
    image = {key: environment_of("node-a")[key] for key in ("PATH", "PYTHONDONTWRITEBYTECODE")}
    engine.start(
        pod,
        container.get("command") or stages()["server"].command(),
        user=SERVER,
        env=image | {each["name"]: each["value"] for each in container["env"]},
        service={"volumes": volumes, "read_only": True, "network_mode": "none"},
    )


@pytest.mark.usefixtures("secrets_made")
def test_a_pod_serves_what_the_job_has_set_up(engine: Engine, documents: dict[str, Any]) -> None:
    (setup,) = documents["Job"]["spec"]["template"]["spec"]["containers"]
    server, _ = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    start(engine, "job", setup)
    assert engine.wait("job") == 0, engine.log("job")
    start(engine, "pod", server)
    startup, liveness = (
        server[kind]["exec"]["command"] for kind in ("startupProbe", "livenessProbe")
    )
    wait_until((engine.path("volumes", "pod-socket") / "server.sock").exists)
    wait_until(lambda: engine.run_in("pod", startup) == 0)
    assert engine.run_in("pod", liveness) == 0


def test_the_documented_command_makes_a_key() -> None:
    page = (ROOT / "docs" / "containers.md").read_text().replace("\\|", "|")
    (command,) = re.findall("`(openssl rand -base64 [^`]*)`", page)
    made = subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    Fernet(made.stdout.strip())  # refuses any other
