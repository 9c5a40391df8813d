"""``client.env``: the file with the address of this server and an API key, for official clients."""

import re
from collections.abc import Iterable
from pathlib import Path

from app.cli.private_files import create, replace
from app.domain.access.api_keys import Token
from config.listening import Address, TcpAddress

_OWN_ADDRESS = re.compile(
    rb"(?m)^RUNLOOP_BASE_URL=(http://(127\.0\.0\.1|\[::1\]):[0-9]+|https://localhost)$"
)

_URL = re.compile(rb"(?m)^RUNLOOP_BASE_URL=https?://([A-Za-z0-9.-]+)")


class ClientEnv:
    """The file, and a marker beside it that exists while its API key is being made.

    The key is in the database before it is in the file. A process that dies in between leaves the
    marker. Without one, a missing file means that the operator moved it.

    Args:
        home: The file's directory.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "client.env"
        self._marker = home / ".client.env.begun"

    @property
    def exists(self) -> bool:
        """True if the file exists, which is then complete."""
        return self.path.exists()

    @property
    def begun(self) -> bool:
        """True if a process died while it made the file."""
        return self._marker.exists()

    @property
    def host(self) -> str | None:
        """The host name of the server's URL in the file, if there is one that can be read."""
        try:
            found = _URL.search(self.path.read_bytes())
        except OSError:
            return None
        return found[1].decode().lower() if found else None

    def begin(self) -> None:
        """Set the marker."""
        create(self._marker, b"")

    def finish(self, url: str, token: Token) -> None:
        """Write the file and remove the marker."""
        lines = f"RUNLOOP_BASE_URL={url}\nRUNLOOP_API_KEY={token.reveal()}\n"
        replace(self.path, lines.encode())
        self._marker.unlink(missing_ok=True)

    def follow(self, url: str) -> None:
        """Update the server's address, unless the operator wrote another one."""
        self._marker.unlink(missing_ok=True)
        before = self.path.read_bytes()
        after = _OWN_ADDRESS.sub(f"RUNLOOP_BASE_URL={url}".encode(), before)
        if after != before:
            replace(self.path, after)


def base_url(bind: Iterable[Address]) -> str:
    """Return the URL of the server on this machine.

    A server on Unix sockets alone is behind a proxy that speaks TLS: then it is https://localhost.
    Without any URL the official clients would call the vendor's service.
    """
    addresses = [each for each in bind if isinstance(each, TcpAddress)]
    preferred = sorted(addresses, key=lambda each: not each.is_loopback)
    return preferred[0].url if preferred else "https://localhost"
