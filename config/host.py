"""The server's needs, and the machine's limits."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from config.settings import Settings

# Measured: a master 16 MiB, an idle worker 55 MiB, a busy one of 32 threads 70 MiB.
_MASTER_BYTES = 20 << 20
_IDLE_WORKER_BYTES = 56 << 20
_WORKER_BYTES = 80 << 20
_THREAD_BYTES = 1 << 20

_WORKER_ADDRESSES = 420 << 20
_DEFAULT_STACK_BYTES = 2 << 20  # of a thread where stacks have no bound: pthread_create(3)

_FILES_OF_A_WORKER = 40
_FILES_OF_A_THREAD = 3  # its client, the database and the log
_OTHER_THREADS = 12  # tasks of a worker that serve no request

CONNECTIONS_OF_A_WORKER = 512
"""The number of connections that one worker keeps open, idle ones included."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def needed_files(settings: Settings) -> int:
    """Return the number of open files that one worker needs with all threads at work."""
    return _FILES_OF_A_WORKER + _FILES_OF_A_THREAD * settings.threads + _calls(settings)


def wanted_files(settings: Settings) -> int:
    """Return the same number, with as many idle connections as a worker keeps."""
    return needed_files(settings) + CONNECTIONS_OF_A_WORKER


def needed_tasks(settings: Settings) -> int:
    """Return the number of processes and threads with all threads at work."""
    return 1 + settings.workers * (settings.threads + _calls(settings) + _OTHER_THREADS)


def needed_memory(settings: Settings) -> int:
    """Return the bytes of memory in which the server can start."""
    return _MASTER_BYTES + settings.workers * _IDLE_WORKER_BYTES


def wanted_memory(settings: Settings) -> int:
    """Return the bytes of memory that the server takes with all threads at work."""
    worker = _WORKER_BYTES + settings.threads * _THREAD_BYTES
    return _MASTER_BYTES + settings.workers * worker


def needed_address_space(settings: Settings) -> int:
    """Return the bytes of address space that a worker needs for the stacks of all threads."""
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    a_stack = _DEFAULT_STACK_BYTES if stack == resource.RLIM_INFINITY else stack
    return _WORKER_ADDRESSES + (settings.threads + _calls(settings) + _OTHER_THREADS) * a_stack


def _calls(settings: Settings) -> int:
    """Return the number of provider calls that one worker makes at once, each in its own thread."""
    providers = len(settings.keys) + len(settings.escrow_keys)
    return providers * settings.provider_concurrency


def raise_limits() -> None:
    """Raise the soft limits on open files and tasks to the hard limits."""
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        _, hard = resource.getrlimit(kind)
        with suppress(OSError, ValueError):  # macOS takes no unlimited number of files
            resource.setrlimit(kind, (hard, hard))


def directory_of_workers(home: Path) -> str | None:
    """Return a directory in which gunicorn's master and workers can share an empty file.

    In memory if possible, since a slow disk would make workers look dead. ``None`` if there is no
    such place.
    """
    for place in ("/dev/shm", tempfile_directory(), str(home)):  # noqa: S108 - nothing is read there
        if place is not None and os.access(place, os.W_OK | os.X_OK) and Path(place).is_dir():
            return place
    return None


def tempfile_directory() -> str | None:
    """Return the directory for temporary files, if there is one."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return None


def task_limit() -> int | None:
    """Return the limit on tasks of the cgroup, if there is one."""
    return _cgroup_limit("pids", "pids.max", "pids.max")


def memory_limit() -> int:
    """Return the bytes of memory: the cgroup's limit, or all that the machine has."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    bound = _cgroup_limit("memory", "memory.max", "memory.limit_in_bytes")
    return machine if bound is None else min(bound, machine)


def _cgroup_limit(controller: str, name: str, name_v1: str) -> int | None:
    """Return the smallest limit of this process's cgroup and those above it."""
    found = [_number(each) for each in _limit_files(controller, name, name_v1)]
    return min((each for each in found if each is not None), default=None)


def _limit_files(controller: str, name: str, name_v1: str) -> Iterator[Path]:
    try:
        lines = _OWN_CGROUPS.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for root in (_CGROUPS, _CGROUPS / "unified"):
                yield from _upwards(root, path, name)
        elif controller in controllers.split(","):
            yield from _upwards(_CGROUPS / controllers, path, name_v1)


def _upwards(root: Path, path: str, name: str) -> Iterator[Path]:
    """Yield the file in the cgroup and in each above it; a container sees its own as the root."""
    place = root / path.removeprefix("/")
    if ".." in place.parts:  # outside of the cgroup namespace
        place = root
    yield place / name
    while place != root:
        place = place.parent
        yield place / name


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # "max"
        return None
