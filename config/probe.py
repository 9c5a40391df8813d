"""Asks a server of this machine for its health: exit code 0 if it answers with 200.

python config/probe.py ADDRESS:PORT /healthz

For the probes of containers, whose images have no curl. It needs nothing but Python.
"""

import sys
from http.client import HTTPConnection, HTTPException

_SECONDS = 4.0


def main(address: str, path: str) -> int:
    """Return the exit code."""
    try:
        connection = HTTPConnection(address, timeout=_SECONDS)
        connection.request("GET", path)
        return 0 if connection.getresponse().status == 200 else 1  # noqa: PLR2004
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
