"""Ports for servers that tests start.

The system gives the ports of its ephemeral range to outgoing connections: one of these could take a
port between our look at it and the server's. Ours are below that range, and each worker of a run of
tests has its own. Other runs of tests may go on, so a port is also reserved among all of them, by a
name of a socket that ends with our process.
"""

import os
import random
import socket
import sys
from collections import deque
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 10_000
_BLOCKED = 10_080  # of the ports that fetch() refuses, the one above _FIRST
_WORKERS = 16  # at most, with ports of their own
_MAX_RESERVED = 256

_reserved: deque[int] = deque()  # descriptors


def free_port() -> int:
    """A port of loopback that nobody uses now, and that we have not given out lately."""
    return next(port for port in _own_ports() if _is_free(port) and _reserve(port))


@cache
def _own_ports() -> Iterator[int]:
    end = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32_768
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")  # noqa: TID251 - xdist's
    every = range(_FIRST, max(end, _FIRST + _WORKERS))
    ports = [port for port in every[int(worker[2:]) % _WORKERS :: _WORKERS] if port != _BLOCKED]
    start = random.randrange(len(ports))
    return cycle([*ports[start:], *ports[:start]])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Take the port's name, unless another run of tests has it. The oldest of many is given up."""
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0strongroom-tests/{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name.detach())  # which is closed with the process
    if len(_reserved) > _MAX_RESERVED:
        os.close(_reserved.popleft())
    return True
