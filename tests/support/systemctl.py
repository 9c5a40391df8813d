"""Stands in for ``systemctl`` on a machine without systemd, as a program: what pages type of it.

It reads the units that were installed, makes their directories, and runs their commands one after
the other as their user, with their variables and nothing else. Their sandbox is not made. Of nginx
and PostgreSQL it runs what their packages' units run.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_UNITS = Path("/etc/systemd/system")
_STATE = Path("/run/units")
_DIRECTORIES = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run"}
_DEFAULT_MODE = "0755"
_SECONDS = 60.0
_PACKAGED = {
    "nginx": {
        "start": "nginx",
        "reload": "nginx -s reload",
        "stop": "nginx -s quit",
    },
    "postgresql": {
        "start": "pg_ctlcluster 15 main start",
        "reload": "pg_ctlcluster 15 main reload",
        "stop": "pg_ctlcluster 15 main stop --mode=fast",
    },
}


class Unit:
    """One installed unit of a service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lines: dict[str, list[str]] = {}
        for line in (_UNITS / f"{name}.service").read_text().splitlines():
            key, is_setting, text = line.partition("=")
            if is_setting and not key.startswith("#"):
                self._lines.setdefault(key, []).append(text)

    def last(self, key: str, default: str = "") -> str:
        """The text of a setting that is there once."""
        return self._lines.get(key, [default])[-1]

    def environment(self) -> dict[str, str]:
        """The variables that its processes get."""
        found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
        texts = [each for line in self._lines.get("Environment", []) for each in shlex.split(line)]
        for name in self._lines.get("EnvironmentFile", []):
            file = Path(name.removeprefix("-"))
            if file.exists() or not name.startswith("-"):
                lines = file.read_text().splitlines()
                texts += [" ".join(shlex.split(line)) for line in lines if line[:1] not in "#;"]
        for text in texts:
            name, _, value = text.partition("=")
            found[name] = value
        return found

    def make_directories(self) -> None:
        """Make the directories that systemd makes before the start."""
        for kind, parent in _DIRECTORIES.items():
            for name in self.last(kind).split():
                path = Path(parent, name)
                path.mkdir(exist_ok=True)
                path.chmod(int(self.last(f"{kind}Mode", _DEFAULT_MODE), 8))
                shutil.chown(path, self.last("User"), self.last("Group"))

    def run(self, key: str) -> None:
        """Run its commands of one kind, and wait for each."""
        for text in self._lines.get(key, []):
            failed = self._spawn(text.removeprefix("-")).wait()
            if failed and not text.startswith("-"):
                sys.exit(f"systemctl: {key} of {self.name} failed with {failed}")

    def start(self) -> None:
        """Start it, and wait until it ends or reports that it is ready."""
        self.make_directories()
        self.run("ExecStartPre")
        if self.last("Type") == "oneshot":
            self.run("ExecStart")
            self.run("ExecStartPost")
            return
        _STATE.mkdir(exist_ok=True)
        path = _STATE / f"{self.name}.notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(path))
            path.chmod(0o666)
            listener.settimeout(_SECONDS)
            process = self._spawn(self.last("ExecStart"), NOTIFY_SOCKET=str(path))
            while b"READY=1" not in listener.recv(4096):
                pass
        (_STATE / self.name).write_text(str(process.pid))

    def send(self, number: signal.Signals) -> int:
        """Send a signal to its main process. Returns that."""
        process = int((_STATE / self.name).read_text())
        os.kill(process, number)
        return process

    def stop(self) -> None:
        """End it, if it runs, and wait."""
        if not (_STATE / self.name).exists():
            return
        process = self.send(signal.SIGTERM)
        end = time.monotonic() + _SECONDS
        while Path(f"/proc/{process}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        (_STATE / self.name).unlink()

    def _spawn(self, text: str, **variables: str) -> "subprocess.Popen[bytes]":
        become = ["setpriv", f"--reuid={self.last('User')}", f"--regid={self.last('Group')}"]
        confine = ["--init-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        command = shlex.split(text.replace("$$", "$").replace("%%", "%"))
        with Path(f"/run/{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                [*become, *confine, *command],
                env={**self.environment(), **variables},
                cwd=self.last("WorkingDirectory"),
                umask=int(self.last("UMask", "0022"), 8),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _packaged(name: str, verb: str) -> None:
    commands = _PACKAGED[name]
    if verb == "restart":
        subprocess.run(shlex.split(commands["stop"]), check=False, stderr=subprocess.DEVNULL)
        verb = "start"
    subprocess.run(shlex.split(commands[verb]), check=True)


def main(verb: str, *arguments: str) -> None:
    """Do what one call of ``systemctl`` asks for."""
    if verb == "daemon-reload":
        return
    (name,) = (each for each in arguments if each != "--now")
    verb = "start" if verb == "enable" else verb
    if name in _PACKAGED:
        _packaged(name, verb)
        return
    unit = Unit(name.removesuffix(".service"))
    if verb in {"stop", "restart"}:
        unit.stop()
    if verb in {"start", "restart"}:
        unit.start()
    if verb == "reload":
        unit.send(signal.SIGHUP)


if __name__ == "__main__":
    main(*sys.argv[1:])
