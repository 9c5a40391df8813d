"""The port of the server, and the way out where another program has it.

It needs nothing but Python: ``make run`` runs this file before anything is installed.
"""

import errno
import re
import socket
import sys
import time
from contextlib import closing

_LAST_PORT = 65535
_PAUSE_SECONDS = 0.1


def is_taken(host: str, port: int) -> bool:
    """Return True if a program listens there. Any other fault of the address returns False."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            listener.bind((host, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def stays_taken(host: str, port: int, *, seconds: float) -> bool:
    """Return True if a program listens there for all this time: one that ends may yet let go."""
    deadline = time.monotonic() + seconds
    while is_taken(host, port):
        if time.monotonic() >= deadline:
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def fault(setting: str, address: str, port: int, program: str = "another program") -> str:
    """Return one sentence with the way out.

    Args:
        setting: The setting to change.
        program: The program that listens, in words.
    """
    if sys.platform == "linux":
        command = f"ss -ltnp 'sport = :{port}'"
    else:
        command = f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
    return (
        f"{setting}: {program} listens on {address}; set {setting} to another one, or stop the "
        f"program that this shows: {command}"
    )


def main(port: str) -> str | None:
    """Return the fault of the default address with this port, if there is one.

    A port that is not valid is left to ``strongroom check``.
    """
    if not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= _LAST_PORT):
        return None
    host, number = "127.0.0.1", int(port)
    if not is_taken(host, number):
        return None
    return f"strongroom: {fault('PORT', f'{host}:{port}', number)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
