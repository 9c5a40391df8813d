"""Runs the services of the compose file without a container engine.

Each service gets a mount namespace of its own with the paths that its image and its volumes have, a
read-only root, the user, the variables and the command that the files name, and no capability.
Images are made by the commands of the Containerfile, but for what they download: packages are those
of the tests, and the root file system is this machine's.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.postgresql import find_binaries
from tests.support.programs import require

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "config" / "container"
_STOP_SECONDS = 60
_HOME_OF_IMAGE = "/opt/strongroom"
_BASES = ("/run", "/var/lib", "/var/log")
_PYTHON = f"mount --rbind {sys.base_prefix} /usr/local"
"""Puts this Python where the image has its own."""
_LIBRARIES = "LD_LIBRARY_PATH=/usr/local/lib"
_OWNED = "install --directory --owner=([0-9]+) --group=([0-9]+) --mode=([0-7]+) "
"""A directory of the image with an owner."""


@dataclass
class Stage:
    """One stage of the Containerfile: its instructions, in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """The arguments of each instruction of this kind."""
        return [text for each, text in self.instructions if each == keyword]

    def last(self, keyword: str) -> str:
        """The arguments of the one that is in force."""
        return self.all(keyword)[-1]

    def command(self, keyword: str = "CMD") -> list[str]:
        """The last command in its JSON form."""
        found: list[str] = json.loads(self.last(keyword).partition("CMD ")[2] or self.last(keyword))
        return found


def stages() -> dict[str, Stage]:
    """The stages of the Containerfile, by name."""
    found: dict[str, Stage] = {}
    current: Stage | None = None
    for line in (CONTAINERS / "Containerfile").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        keyword, _, text = line.partition(" ")
        if keyword == "FROM":
            base, _, name = text.partition(" AS ")
            inherited = found[base].instructions if base in found else []
            current = found[name] = Stage(name, base, [*inherited])
        else:
            assert current is not None
            current.instructions.append((keyword, text))
    return found


def compose() -> dict[str, Any]:
    """The compose file."""
    parsed: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
    return parsed


def compose_with_gateways() -> dict[str, Any]:
    """The compose file with that of the gateways laid over it, as Compose does it."""
    over: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.gateway.yaml").read_text())
    merged: dict[str, Any] = _merged(compose(), over)
    return merged


def _merged(first: Any, second: Any) -> Any:
    if isinstance(first, dict):
        return {
            key: _merged(first[key], second[key]) if key in first and key in second else value
            for key, value in {**first, **second}.items()
        }
    return [*first, *second] if isinstance(first, list) else second


def require_namespaces(user: str) -> None:
    """Skip the test where there are no namespaces, or another user cannot read our packages."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount and become another user")
    for program in ("setpriv", "nsenter", "ip"):
        require(program)
    uid, _, gid = user.partition(":")
    become = f"env {_LIBRARIES} setpriv --reuid={uid} --regid={gid} --clear-groups"
    imports = f"import ssl, sys; sys.path.append('{_packages()}'); import flask"
    script = f'{_PYTHON}\nexec {become} /usr/local/bin/python3 -c "{imports}"'
    tried = ["unshare", "--mount", "--net", "sh", "-ec", script]
    if subprocess.run(tried, check=False).returncode:
        pytest.skip("this machine makes no namespaces, or its packages are for root only")


def _packages() -> str:
    return next(each for each in sys.path if each.endswith("site-packages"))


class Engine:
    """Volumes, images and running services, below one directory that everybody may enter."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = directory / "files"
        self.files.mkdir()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def path(self, kind: str, name: str) -> Path:
        """A directory of the engine's, for everybody."""
        path = self.directory / kind / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def build_server(self) -> None:
        """Run the commands of the stages ``build`` and ``server``, at the paths of the image."""
        home = self.path("image", "opt/strongroom")
        for text in stages()["build"].all("COPY"):
            *sources, target = text.split()
            for source in sources:
                _copy(ROOT / source, home / target)
        commands = stages()["build"].all("RUN")
        # The packages of the tests, pip included, stand in for those that would be downloaded.
        commands[0] += " --without-pip"
        place = "$(echo .venv/lib/python3*/site-packages)"
        commands.insert(1, f'echo {_packages()} >"{place}/tests.pth"')
        self._in_image(["set -e", f"cd {_HOME_OF_IMAGE}", *commands])
        script = (
            f"#!{_HOME_OF_IMAGE}/.venv/bin/python\nfrom gunicorn.app.wsgiapp import run\nrun()\n"
        )
        gunicorn = home / ".venv/bin/gunicorn"
        gunicorn.write_text(script)
        gunicorn.chmod(0o755)

    def build_front(self, port: int, name: str = "front-of-two") -> None:
        """Copy and edit the files of nginx as its stages do; it listens on another port."""
        stage = stages()[name]
        for text in stage.all("COPY"):
            if not text.startswith("--from="):
                source, target = text.split()
                _copy(ROOT / source, self.path("front", ".") / target.lstrip("/"))
        front = self.directory / "front"
        for text in stage.all("RUN"):
            if text.startswith("sed "):
                edit = re.sub("(?<= )/etc/", f"{front}/etc/", text)
                subprocess.run(["sh", "-ec", edit], check=True)
        for configuration in front.glob("etc/*/nginx*.conf"):
            text = configuration.read_text()
            assert text.count(":443 ssl") == text.count(" 443 ssl") <= 1
            text = text.replace("listen [::]:443 ssl http2;", "")
            configuration.write_text(text.replace(" 443 ssl", f" 127.0.0.1:{port} ssl"))

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        user: str,
        env: Mapping[str, str],
        service: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a service of the compose file, or another one that is described as there."""
        found = service or compose()["services"][name]
        with (self.directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._confined(found, command, user=user, env=env),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        """What the service printed."""
        return (self.directory / f"{name}.log").read_text()

    def wait(self, name: str) -> int:
        """Wait until the service ends. Returns its exit code."""
        return self._running.pop(name).wait(_STOP_SECONDS)

    def send(self, name: str, number: int) -> None:
        """Send a signal to the first process of the service."""
        self._running[name].send_signal(number)

    def run_in(self, name: str, command: Sequence[str], path: str | None = None) -> int:
        """Run a command inside of a running service, as probes do. Returns its exit code."""
        inside = ["nsenter", f"--target={self._running[name].pid}", "--mount", "--net"]
        path = path or _environment(stages()["server"])["PATH"]
        script = f"cd {_HOME_OF_IMAGE}; exec {shlex.join(command)}"
        return subprocess.run(
            [*inside, "env", "-i", _LIBRARIES, f"PATH={path}", "sh", "-c", script],
            check=False,
            timeout=60,
        ).returncode

    def close(self) -> None:
        """End everything."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)
        self._running.clear()

    def _in_image(self, commands: Sequence[str]) -> None:
        script = "\n".join(
            [
                _PYTHON,
                f"mount --rbind {self.path('image', 'opt')} /opt",
                f"exec sh -c '{_joined(commands)}'",
            ]
        )
        path = "/usr/local/bin:/usr/bin:/bin"
        subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script],
            check=True,
            env={"PATH": path, "HOME": "/nonexistent"},
            timeout=300,
        )

    def _confined(
        self,
        service: Mapping[str, Any],
        command: Sequence[str],
        *,
        user: str,
        env: Mapping[str, str],
    ) -> list[str]:
        uid, _, gid = user.partition(":")
        groups = ",".join(service.get("group_add", ())) or None
        setpriv = ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
        setpriv.append(f"--groups={groups}" if groups else "--clear-groups")
        setpriv += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        variables = [_LIBRARIES, *(f"{key}={value}" for key, value in env.items())]
        script = [
            "mount --make-rprivate /",
            *self._mounts(service),
            f"cd {_HOME_OF_IMAGE}",
            f"exec {shlex.join([*setpriv, 'env', '-i', *variables, *command])}",
        ]
        network = ["--net"] if service.get("network_mode") == "none" else []
        if network:
            script.insert(0, "ip link set lo up")
        return ["unshare", "--mount", *network, "sh", "-ec", "\n".join(script)]

    def _mounts(self, service: Mapping[str, Any]) -> list[str]:
        """The paths of image, volumes and secrets; then nothing else can be written."""
        image = [_PYTHON, f"mount --rbind {self.path('image', 'opt')} /opt"]
        image += [f"mount -t tmpfs none {each}" for each in _BASES]
        if service.get("image") == "strongroom-front":
            image += self._mounts_of_front()
        elif any(":/etc/strongroom/" in each for each in service["volumes"] if each[0] != "."):
            image.append("mount -t tmpfs none /etc")
        if "user" in service:  # the image of PostgreSQL has a name for it
            names = self.directory / "passwd"
            names.write_text(f"somebody:x:{service['user']}::/:/bin/sh\n")
            image.append(f"mount --bind {names} /etc/passwd")
        for each in service.get("tmpfs", ()):
            path, _, options = each.partition(":")
            image.append(f"mkdir -p {path} && mount -t tmpfs -o {options} none {path}")
        for each in service["volumes"]:
            if not each.startswith(("./database.sql", "../")):  # the test is the entry point
                image += self._mount(*each.split(":"))
        for each in service.get("secrets", ()):
            image += self._mount(f"./{each}", f"/run/secrets/{each}", "ro")
        return image + _locked(service)

    def _mounts_of_front(self) -> list[str]:
        front = self.directory / "front"
        return [
            "mount -t tmpfs none /etc",
            f"mkdir /etc/nginx && mount --bind {front}/etc/nginx /etc/nginx",
            "mkdir /etc/strongroom",
            f"cp {front}/etc/strongroom/* /etc/strongroom/",
        ]

    def _mount(self, source: str, target: str, mode: str = "rw") -> list[str]:
        if source.startswith("./"):
            real = self.files / source
            if not real.exists():
                real = CONTAINERS / source
            made = f"mkdir -p {Path(target).parent} && touch {target}"
        else:
            real = self._volume(source, target)
            made = f"mkdir -p {target}"
        only = [f"mount -o remount,bind,ro {target}"] if mode == "ro" else []
        return [made, f"mount --bind {real} {target}", *only]

    def _volume(self, name: str, target: str) -> Path:
        """A volume: new ones get owner and mode of the image's directory, as in Docker."""
        exists = (self.directory / "volumes" / name).exists()
        path = self.path("volumes", name)
        for text in stages()["server"].all("RUN"):
            match = re.fullmatch(_OWNED + target, text)
            if match and not exists:
                os.chown(path, int(match[1]), int(match[2]))
                path.chmod(int(match[3], 8))
        return path


def environment_of(name: str, composed: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The variables of a service of the server's image."""
    services = (composed or compose())["services"]
    return {**_environment(stages()["server"]), **services[name]["environment"]}


def _environment(stage: Stage) -> dict[str, str]:
    return dict(text.split("=", 1) for text in stage.all("ENV"))


def _joined(commands: Sequence[str]) -> str:
    return "\n".join(commands).replace("'", "'\\''")


def _copy(source: Path, target: Path) -> None:
    """Copy as COPY does: a directory's contents, or a file into a directory or to a name."""
    ignored = shutil.ignore_patterns("__pycache__")
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored)
        return
    if (
        str(target).endswith("/")
        or target.is_dir()
        or target.name in {"requirements", "strongroom"}
    ):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def database_programs() -> Path:
    """The directory of PostgreSQL's programs, psql included."""
    found = find_binaries()
    if not (found / "psql").exists():
        pytest.skip("this machine has no psql")
    return found


def _locked(service: Mapping[str, Any]) -> list[str]:
    """Let nothing be written but volumes, if that is the service's wish."""
    if not service.get("read_only"):
        return []
    temporary = {each.partition(":")[0] for each in service.get("tmpfs", ())}
    return [
        *(f"mount -o remount,ro {each}" for each in _BASES if each not in temporary),
        "mount --rbind /tmp /tmp && mount -o remount,bind,ro /tmp",
        "mount -o remount,bind,ro /opt",
        "mount -o remount,bind,ro /",
    ]
