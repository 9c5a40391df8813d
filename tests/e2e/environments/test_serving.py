"""Places where the server serves: containers, services, locked-down machines."""

import pytest

from tests.e2e.environments.place import AS_NOBODY, Outcome, Place

pytestmark = pytest.mark.slow

# Nothing is writable but the place itself: no /tmp, no /var/tmp, no /dev/shm.
READ_ONLY = """
mount --bind "$PLACE" "$PLACE"
mount --rbind /tmp /tmp
mount -o remount,bind,ro /tmp
mount -t tmpfs -o ro none /var/tmp
mount -t tmpfs -o ro none /dev/shm
"""
NO_PROC = "umount --lazy /proc"
NOEXEC = 'mount --bind "$PLACE" "$PLACE"; mount -o remount,bind,noexec "$PLACE"'
# What MemoryDenyWriteExecute= sets, from Linux 6.3 on; older ones refuse, and nothing is denied.
DENY_WRITE_EXECUTE = (
    "python -c 'import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])'"
)


def serves(outcome: Outcome) -> bool:
    assert outcome.init_code == 0, outcome.init
    assert outcome.check["faults"] == []
    assert outcome.ready == {"status": "ok", "database": True, "provider": True}, outcome.log
    return outcome.check_code == 0


def test_a_container_that_can_write_its_volume_only(nobodys: Place) -> None:
    assert serves(nobodys.run(inside=READ_ONLY, user=AS_NOBODY))


@pytest.mark.parametrize("umask", ["0777", "0000"])
def test_a_umask_that_takes_all_or_nothing(nobodys: Place, umask: str) -> None:
    assert serves(nobodys.run(user=AS_NOBODY, wrap=f"umask {umask}"))


def test_the_first_process_of_a_container(roots: Place) -> None:
    assert serves(roots.run(user="unshare --pid --fork --mount-proc"))


def test_without_proc(roots: Place) -> None:
    assert serves(roots.run(inside=NO_PROC))


def test_without_memory_that_can_be_written_and_executed(roots: Place) -> None:
    assert serves(roots.run(inside=NOEXEC, user=DENY_WRITE_EXECUTE))


def test_a_locale_a_time_zone_and_an_interpreter_of_another_kind(roots: Place) -> None:
    odd = {"LC_ALL": "C", "TZ": ":/no/such/zone", "PYTHONOPTIMIZE": "2", "PYTHONUTF8": "0"}
    assert serves(roots.run(environ=odd))


def test_few_open_files_until_more_are_asked_for(roots: Place) -> None:
    assert serves(roots.run(wrap="ulimit -Sn 64"))
