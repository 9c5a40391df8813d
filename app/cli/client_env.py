"""``client.env``: the two variables that point an official client at this server."""

import re
from collections.abc import Iterable
from pathlib import Path

from app.cli.private_files import create, replace
from app.domain.access.api_keys import Token
from config.listening import Endpoint, TcpAddress

_OWN_ADDRESS = re.compile(
    rb"(?m)^RUNLOOP_BASE_URL=(http://(127\.0\.0\.1|\[::1\]):[0-9]+|https://localhost)$"
)


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

    def finish(self, url: str, token: Token) -> None:
        """Write the file and take the mark away."""
        lines = f"RUNLOOP_BASE_URL={url}\nRUNLOOP_API_KEY={token.reveal()}\n"
        replace(self.path, lines.encode())
        self._mark.unlink(missing_ok=True)

    def follow(self, url: str) -> None:
        """Name the address that the server has now, unless the operator wrote another one."""
        self._mark.unlink(missing_ok=True)
        before = self.path.read_bytes()
        after = _OWN_ADDRESS.sub(f"RUNLOOP_BASE_URL={url}".encode(), before)
        if after != before:
            replace(self.path, after)


def base_url(bind: Iterable[Endpoint]) -> str:
    """Where the server of this machine is.

    A server on Unix sockets only is reached through what stands in front of it, which speaks TLS.
    The official clients would ask the vendor's service if there were no address at all.
    """
    addresses = [each for each in bind if isinstance(each, TcpAddress)]
    preferred = sorted(addresses, key=lambda each: not each.is_loopback)
    return preferred[0].url if preferred else "https://localhost"
