"""``client.env``: the two variables that point an official client at this server."""

import re
from pathlib import Path

from app.cli.private_files import create, replace
from app.domain.api_keys import Token

_OWN_ADDRESS = re.compile(rb"(?m)^RUNLOOP_BASE_URL=http://127\.0\.0\.1:[0-9]+$")


class ClientEnv:
    """The file, and beside it a mark that stands while its API key is being made.

    The key is in the database before it is in the file. A process that dies in between leaves the
    mark, which tells that case from an operator who keeps the file elsewhere.

    Args:
        home: The directory that holds it.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "client.env"
        self._mark = home / ".client.env.begun"

    @property
    def exists(self) -> bool:
        """Whether the file is there, complete."""
        return self.path.exists()

    @property
    def begun(self) -> bool:
        """Whether a process began to make it and died."""
        return self._mark.exists()

    def begin(self) -> None:
        """Set the mark."""
        create(self._mark, b"")

    def finish(self, port: int, token: Token) -> None:
        """Write the file and take the mark away."""
        lines = f"RUNLOOP_BASE_URL={base_url(port)}\nRUNLOOP_API_KEY={token.reveal()}\n"
        replace(self.path, lines.encode())
        self._mark.unlink(missing_ok=True)

    def follow(self, port: int) -> None:
        """Name the port that the server has now, unless the operator wrote another address."""
        self._mark.unlink(missing_ok=True)
        before = self.path.read_bytes()
        after = _OWN_ADDRESS.sub(f"RUNLOOP_BASE_URL={base_url(port)}".encode(), before)
        if after != before:
            replace(self.path, after)


def base_url(port: int) -> str:
    """Where the server of this machine is."""
    return f"http://127.0.0.1:{port}"
