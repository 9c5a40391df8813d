"""Places where the server could not serve, or not for long: ``check`` names the fault."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.environments.place import AS_NOBODY, Outcome, Place

pytestmark = pytest.mark.slow

OVERLAY = """
base=$(mktemp -d)
mount -t tmpfs none "$base"
mkdir "$base/lower" "$base/upper" "$base/work"
mkdir -p "$STRONGROOM_HOME"
mount -t overlay -o lowerdir="$base/lower",upperdir="$base/upper",workdir="$base/work" none \
  "$STRONGROOM_HOME"
chmod 700 "$STRONGROOM_HOME"
"""
TMPFS = """
mkdir -p "$STRONGROOM_HOME"
mount -t tmpfs -o mode=700 none "$STRONGROOM_HOME"
"""


@contextmanager
def bounded_cgroup(controller: str, name: str, bound: int) -> Iterator[Path]:
    """A new cgroup of whichever version this machine has."""
    roots = (Path("/sys/fs/cgroup") / controller, Path("/sys/fs/cgroup"))
    made = next((each for each in roots if (each / "cgroup.procs").exists()), roots[1])
    made /= f"strongroom-test-{os.getpid()}"
    try:
        made.mkdir()
        (made / name).write_text(str(bound))
    except OSError:
        pytest.skip(f"this machine lets nobody bound {controller} in a cgroup")
    yield made
    made.rmdir()


def fault(outcome: Outcome) -> str:
    assert outcome.check_code == 1
    (told,) = outcome.check["faults"]
    return str(told)


def warning(outcome: Outcome, about: str) -> str:
    """The only warning about this; a database server has warnings of its own."""
    assert outcome.check_code == 0
    (told,) = [each for each in outcome.check["warnings"] if each.startswith(f"{about}: ")]
    return str(told)


def test_too_few_open_files(roots: Place) -> None:
    told = fault(roots.check(wrap="ulimit -n 64"))
    assert told.startswith("open files: 64 are allowed, and a worker needs ")
    assert "STRONGROOM_THREADS" in told


def test_open_files_for_the_threads_and_few_clients(roots: Place) -> None:
    told = warning(roots.check(wrap="ulimit -n 400"), "open files")
    assert told.startswith("open files: 400 are allowed, and a busy worker wants ")


def test_too_few_tasks_of_a_user(nobodys: Place) -> None:
    told = fault(nobodys.check(user=f"prlimit --nproc=50 {AS_NOBODY}"))
    assert told.startswith("tasks: 50 are allowed, and the server needs ")


def test_too_little_address_space(roots: Place) -> None:
    told = fault(roots.check(wrap="ulimit -v 500000"))
    assert told.startswith("address space: 488 MiB are allowed, and a worker needs ")


def test_a_build_in_a_fips_mode_that_has_no_provider_for_it(roots: Place) -> None:
    configuration = roots.directory / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = init\n[init]\nalg_section = fips\n[fips]\ndefault_properties = fips=yes\n"
    )
    outcome = roots.check(environ={"OPENSSL_CONF": str(configuration)})
    assert fault(outcome).startswith("cryptography: this build of OpenSSL lacks ")


def test_too_few_tasks_of_a_cgroup(roots: Place) -> None:
    with bounded_cgroup("pids", "pids.max", 60) as tasks:
        told = fault(roots.check(inside=f"echo $$ >{tasks}/cgroup.procs"))
    assert told.startswith("tasks: 60 are allowed, and the server needs ")


@pytest.mark.sqlite
def test_a_database_that_may_not_grow(roots: Place) -> None:
    told = warning(roots.check(wrap="ulimit -f 65536"), "file size")
    assert told.startswith("file size: the database may not grow beyond ")


@pytest.mark.sqlite
def test_a_home_in_memory(roots: Place) -> None:
    told = warning(roots.run(inside=TMPFS, serve=False), "STRONGROOM_DATABASE_URL")
    assert told == (
        "STRONGROOM_DATABASE_URL: the database is in memory, and gone when the machine stops."
    )


@pytest.mark.sqlite
def test_a_home_in_the_layer_of_a_container(roots: Place) -> None:
    told = warning(roots.run(inside=OVERLAY, serve=False), "STRONGROOM_DATABASE_URL")
    assert told.startswith("STRONGROOM_DATABASE_URL: the database is in the container's own layer")


@pytest.mark.sqlite
def test_a_home_that_cannot_be_written(nobodys: Place) -> None:
    read_only = 'mount --bind "$STRONGROOM_HOME" "$STRONGROOM_HOME"\n'
    read_only += 'mount -o remount,bind,ro "$STRONGROOM_HOME"'
    told = fault(nobodys.check(inside=read_only, user=AS_NOBODY))
    assert told.startswith("STRONGROOM_DATABASE_URL: ")


def test_a_port_that_another_program_has(roots: Place) -> None:
    with closing(socket.create_server(("127.0.0.1", roots.port))):
        told = fault(roots.check())
    assert told.startswith(f"PORT: another program listens on 127.0.0.1:{roots.port}; ")


def test_a_port_that_needs_a_privilege(nobodys: Place) -> None:
    told = fault(nobodys.check(user=AS_NOBODY, environ={"PORT": "80"}))
    assert told.startswith("STRONGROOM_BIND: 127.0.0.1:80: this user may not use the port")


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        (
            "127.0.0.1:{port} [::1]:{port} unix:/no/such/place/socket",
            "cannot create files in the directory",
        ),
        ("unix:/dev/null", "not a socket"),
    ],
)
def test_an_address_where_nothing_can_be_made(roots: Place, bind: str, words: str) -> None:
    told = fault(roots.check(environ={"STRONGROOM_BIND": bind.format(port=roots.port)}))
    assert told.startswith("STRONGROOM_BIND: unix:/")
    assert words in told


def test_a_loopback_interface_that_is_down(roots: Place) -> None:
    outcome = roots.check(user="unshare --net")  # does not reach a database server either
    words = "nothing reaches it; is the loopback interface up."
    assert [each.endswith(words) for each in outcome.check["faults"]].count(True) == 1


def test_check_accepts_the_port_of_the_running_server(roots: Place) -> None:
    again = 'strongroom check --json >"$OUT/check" 2>/dev/null; echo $? >"$OUT/check.code"'
    assert roots.run(then=again).check["faults"] == []
