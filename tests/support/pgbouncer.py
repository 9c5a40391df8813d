"""A real pgbouncer before a PostgreSQL server, pooling transactions."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.programs import require
from tests.support.waiting import wait_until

_NOBODY = 65534

_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
"""


@contextmanager
def pgbouncer(server: PostgresqlServer, *users: str) -> Iterator[int]:
    """Start it for the time of a ``with`` block, and give its port.

    Args:
        server: Where it connects to, as the same user and without a password.
        users: Who may connect to it, without a password.
    """
    program = require("pgbouncer")
    directory = Path(tempfile.mkdtemp(prefix="strongroom-pgbouncer-"))
    directory.chmod(0o755)
    port = free_port()
    (directory / "users").write_text("".join(f'"{user}" ""\n' for user in users))
    (directory / "ini").write_text(
        _CONFIGURATION.format(server_port=server.port, port=port, users=directory / "users")
    )
    process = subprocess.Popen(
        [program, "--quiet", directory / "ini"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **_as_somebody(),
    )
    try:
        wait_until(lambda: _listens(port))
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _as_somebody() -> dict[str, Any]:
    """Arguments for a process, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
