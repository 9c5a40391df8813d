"""Three PostgreSQL servers under Patroni and etcd, each on a machine of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import requests
import yaml

from tests.support.certificates import Certificate, make_certificate
from tests.support.namespaces import Machine, Network, network
from tests.support.ports import free_port
from tests.support.postgresql import find_binaries
from tests.support.programs import require
from tests.support.waiting import wait_until

_SHIPPED = Path(__file__).parents[2] / "config" / "patroni.yml"
_NODES = 3
_UP_SECONDS = 180.0
_STOP_SECONDS = 30
_ASKING_SECONDS = 5

# Debian's is 3.0.2. With etcd's third protocol its leader, once frozen and replaced, takes the lock
# back unasked, and the writes of the new leader are undone. So it gives the libraries only: a
# virtual environment is often out of reach for the user that PostgreSQL runs as.
_PYTHON = "/usr/bin/python3"
_PATRONI = (_PYTHON, "-m", "patroni")
_PATRONICTL = (_PYTHON, "-c", "from patroni.ctl import ctl; ctl()")
_INSTALLED = "python"  # where the tested version is, below the directory of the cluster
_HEALTHY = frozenset({"running", "streaming"})


@dataclass(slots=True)
class Node:
    """One machine with Patroni and the PostgreSQL that Patroni starts.

    Attributes:
        name: Its name in the cluster.
        machine: Where it runs.
        port: Where PostgreSQL listens.
        api: Where Patroni listens.
        directory: Its own.
    """

    name: str
    machine: Machine
    port: int
    api: int
    directory: Path
    patroni: subprocess.Popen[bytes] | None = None

    def postgresql(self) -> list[int]:
        """PostgreSQL's processes, the postmaster first; none if it does not run."""
        try:
            master = int((self.directory / "data/postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        except (OSError, IndexError):
            return []
        return [master, *map(int, children)]

    def processes(self) -> list[int]:
        """Everything that runs on the machine."""
        assert self.patroni is not None
        return [self.patroni.pid, *self.postgresql()]

    @contextmanager
    def frozen(self, processes: list[int]) -> Iterator[None]:
        """Stop processes without closing anything, until the block ends."""
        self.send(signal.SIGSTOP, processes)
        try:
            yield
        finally:
            self.send(signal.SIGCONT, processes)

    def send(self, number: signal.Signals, processes: list[int]) -> None:
        """Send a signal to processes, unless they have ended."""
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)


class PatroniCluster:
    """The three nodes, spoken to as an operator does.

    Attributes:
        nodes: By name.
        network: What joins them.
    """

    def __init__(self, directory: Path, machines: Network, certificate: Certificate) -> None:
        self.network = machines
        self._directory = directory
        self._certificate = certificate
        self._passwords = {each: token_hex(16) for each in ("superuser", "replication", "rewind")}
        self._strongroom = token_hex(16)
        self._store = machines.machines[_NODES]
        self._store_port, self._peer_port = free_port(), free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self.nodes = {
            f"db{number}": Node(
                f"db{number}", machine, free_port(), free_port(), directory / f"db{number}"
            )
            for number, machine in enumerate(machines.machines[:_NODES], 1)
        }

    @property
    def url(self) -> str:
        """The address of the database for the server: all nodes, TLS with the name verified."""
        return self._url(f"strongroom:{self._strongroom}", "strongroom")

    def execute(self, sql: str, database: str = "strongroom") -> list[tuple[Any, ...]]:
        """Run one statement on the leader as the superuser, and return its rows."""
        url = self._url(f"postgres:{self._passwords['superuser']}", database)
        options = {"target_session_attrs": "read-write", "connect_timeout": 5}
        with closing(psycopg.connect(url, autocommit=True, **options)) as connection:  # type: ignore[arg-type]
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start everything, and make an empty database for the server."""
        installed = Path(sysconfig.get_path("purelib")) / "patroni"
        shutil.copytree(installed, self._directory / _INSTALLED / "patroni")
        self._start_etcd()
        for node in self.nodes.values():
            node.directory.mkdir(mode=0o700)
            _give(node.directory)
            self.start_patroni(node)
        self.wait_until_healthy()
        assert self._versions() == {metadata.version("patroni")}
        self.execute(f"CREATE ROLE strongroom LOGIN PASSWORD '{self._strongroom}'", "postgres")
        self.execute("CREATE DATABASE strongroom OWNER strongroom", "postgres")

    def start_patroni(self, node: Node) -> None:
        """Switch a machine on."""
        settings = self._directory / f"{node.name}.yml"
        settings.write_text(yaml.safe_dump(self._settings(node)))
        _give(settings)
        names = {"superuser": "postgres", "replication": "replicator", "rewind": "rewinder"}
        environment = {
            f"PATRONI_{kind.upper()}_{what}": value
            for kind, name in names.items()
            for what, value in (("USERNAME", name), ("PASSWORD", self._passwords[kind]))
        }
        node.patroni = self._run(node.machine, node.name, *_PATRONI, str(settings), **environment)

    def get_leader(self) -> Node:
        """The node that leads."""
        (leader,) = [node for node in self.nodes.values() if self._is_primary(node)]
        return leader

    def wait_for_another_leader(self, than: Node) -> None:
        """Wait until another node accepts writes."""
        wait_until(
            lambda: any(self._is_primary(each) for each in self.nodes.values() if each is not than),
            _UP_SECONDS,
        )

    def wait_until_healthy(self) -> None:
        """Wait until all nodes follow one leader, and one of them synchronously.

        Raises:
            TimeoutError: They do not; with the end of each log.
        """
        try:
            wait_until(self._is_healthy, _UP_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.logs()}") from None

    def switch_over(self) -> None:
        """Make another node the leader, as for maintenance."""
        leader = self.get_leader()
        settings = self._directory / f"{leader.name}.yml"
        command = ["-c", str(settings), "switchover", "strongroom", "--leader", leader.name]
        subprocess.run(
            [*_PATRONICTL, *command, "--force"],
            check=True,
            capture_output=True,
            timeout=_UP_SECONDS,
            env=self._environment(),
        )

    def kill(self, node: Node) -> None:
        """Switch a machine off: nothing on it says goodbye."""
        node.send(signal.SIGKILL, node.processes())
        assert node.patroni is not None
        node.patroni.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """End everything at once."""
        for node in self.nodes.values():
            if node.patroni is not None:
                node.send(signal.SIGKILL, [node.patroni.pid])
                node.patroni.wait(_STOP_SECONDS)
            # Killed, it would leave shared memory behind.
            node.send(signal.SIGQUIT, node.postgresql()[:1])
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait(_STOP_SECONDS)
        wait_until(lambda: not any(node.postgresql() for node in self.nodes.values()))

    def logs(self) -> str:
        """The end of each log."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)

    def _url(self, login: str, database: str) -> str:
        hosts = ",".join(f"{node.machine.address}:{node.port}" for node in self.nodes.values())
        verified = f"sslmode=verify-full&sslrootcert={self._certificate.ca_file}"
        return f"postgresql://{login}@{hosts}/{database}?{verified}"

    def _is_primary(self, node: Node) -> bool:
        with suppress(requests.RequestException):
            url = f"http://{node.machine.address}:{node.api}/primary"
            return requests.get(url, timeout=_ASKING_SECONDS).ok
        return False

    def _versions(self) -> set[str]:
        """The versions of Patroni that run."""
        urls = (f"http://{node.machine.address}:{node.api}/patroni" for node in self.nodes.values())
        responses = [requests.get(url, timeout=_ASKING_SECONDS) for url in urls]
        return {response.json()["patroni"]["version"] for response in responses}

    def _members_seen_by(self, node: Node) -> list[dict[str, Any]]:
        """Return what a node knows of all of them; nothing if it does not answer."""
        url = f"http://{node.machine.address}:{node.api}/cluster"
        with suppress(requests.RequestException, ValueError):
            members: list[dict[str, Any]] = requests.get(url, timeout=_ASKING_SECONDS).json()[
                "members"
            ]
            return members
        return []

    def _is_healthy(self) -> bool:
        """Return True if all nodes agree; one that was frozen knows the state of before."""
        leaders = set()
        for node in self.nodes.values():
            assert node.patroni is not None
            assert node.patroni.poll() is None, self.logs()
            members = self._members_seen_by(node)
            if not _is_complete(members):
                return False
            leaders |= {each["name"] for each in members if each["role"] == "leader"}
        return len(leaders) == 1 and self._is_primary(self.nodes[leaders.pop()])

    def _start_etcd(self) -> None:
        client = f"http://{self._store.address}:{self._store_port}"
        peer = f"http://{self._store.address}:{self._peer_port}"
        self._etcd = self._run(
            self._store,
            "etcd",
            *(require("etcd"), "--name", "e1", "--data-dir", str(self._directory / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"e1={peer}", "--unsafe-no-fsync", "--logger", "zap"),
        )

    def _settings(self, node: Node) -> dict[str, Any]:
        """The shipped file, with the addresses and directories of this node."""
        settings: dict[str, Any] = yaml.safe_load(_SHIPPED.read_text())
        api = f"{node.machine.address}:{node.api}"
        address = f"{node.machine.address}:{node.port}"
        postgresql = settings["postgresql"]
        settings["name"] = node.name
        settings["restapi"] = {"listen": api, "connect_address": api}
        settings["etcd3"]["hosts"] = [f"{self._store.address}:{self._store_port}"]
        settings["watchdog"]["mode"] = "off"
        postgresql.update(
            listen=address,
            connect_address=address,
            data_dir=str(node.directory / "data"),
            bin_dir=str(find_binaries()),
            pgpass=str(node.directory / "pgpass"),
            pg_hba=[
                rule.replace("10.0.0.0/24", self.network.range) for rule in postgresql["pg_hba"]
            ],
        )
        postgresql["parameters"].update(
            unix_socket_directories=str(node.directory),
            ssl_cert_file=str(self._certificate.file),
            ssl_key_file=str(self._certificate.key_file),
            shared_buffers="32MB",
        )
        return settings

    def _run(
        self, machine: Machine, name: str, *command: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        log = self._directory / f"{name}.log"
        as_somebody: tuple[str, ...] = ()
        if os.geteuid() == 0:
            user = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
            as_somebody = (require("setpriv"), *user)
        with log.open("ab") as stream:
            return subprocess.Popen(
                [*machine.prefix, *as_somebody, *command],
                cwd=self._directory,
                env=self._environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._directory),
            "PYTHONPATH": str(self._directory / _INSTALLED),
        }


@contextmanager
def patroni_cluster() -> Iterator[PatroniCluster]:
    """Start a cluster for the time of a ``with`` block.

    Without Debian's programs the test is skipped; in ``.ci/run``, which installs them, it fails.
    """
    for program in ("etcd", "patroni"):
        require(program)
    find_binaries()
    with ExitStack() as stack:
        machines = stack.enter_context(network(_NODES + 1))
        # Outside of pytest's directories, which only we may enter.
        directory = Path(tempfile.mkdtemp(prefix="strongroom-cluster-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        _give(directory)
        certificate = make_certificate(directory, *{m.address for m in machines.machines})
        certificate.key_file.chmod(0o600)
        for each in (certificate.file, certificate.key_file, certificate.ca_file):
            _give(each)
        cluster = PatroniCluster(directory, machines, certificate)
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster


def _is_complete(members: list[dict[str, Any]]) -> bool:
    """Return True if one leads, and all others have its timeline, one of them synchronously."""
    return (
        sorted(each["role"] for each in members) == ["leader", "replica", "sync_standby"]
        and all(each["state"] in _HEALTHY for each in members)
        and len({each.get("timeline") for each in members}) == 1
    )


def _give(path: Path) -> None:
    """Give a file to the user that PostgreSQL runs as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)
