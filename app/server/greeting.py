"""The greeting on a terminal: where the server is, where the API key is, and what to type next.

It follows a successful request to ``/readyz``: whoever reads it can type the commands at once.
"""

import shlex
import socket
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from app.observability import logs
from config import Settings
from config.listening import Address, TcpAddress, UnixSocket

_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 5.0
_GATEWAY_SECONDS = 20.0
_OK = 200

_WITH_KEY = """
In another terminal, in this directory:

  set -a; . {key_file}; set +a
  {command} secret set GREETING
  {command} run --secret GREETING -- sh -c 'echo $GREETING'
"""
_WITHOUT_KEY = """
In another terminal, in this directory and with the same settings, make an API key for an account:

  {command} account list
  {command} api-key create ACCOUNT
"""


def greet_when_ready(settings: Settings) -> None:
    """Greet in a thread, once the server serves."""
    threading.Thread(target=_greet, args=(settings,), name="greeting", daemon=True).start()


def _greet(settings: Settings) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _serves(settings.bind[0]):
        if time.monotonic() > deadline:
            return  # the log says why
        time.sleep(_PAUSE_SECONDS)
    logs.show(greeting(settings))


def greeting(settings: Settings) -> str:
    """Return the text, without a line end after it. The API key is not in it."""
    url, key_file = _url(settings), settings.home / "client.env"
    lines = [f"\nStrongroom {version('strongroom')} serves at {url}\n"]
    if url.startswith("http"):
        lines.append(f"  API documentation   {url}/docs")
    has_key = key_file.exists()
    if settings.gateway_url is not None:
        lines.append(f"  Agent gateway       {_gateway(settings)}")
    lines.append(f"  API key             {'in ' + _typed(key_file) if has_key else 'not here'}")
    text = _WITH_KEY if has_key else _WITHOUT_KEY
    lines.append(text.format(key_file=_sourced(key_file), command=_command()))
    return "\n".join([*lines, "Ctrl-C stops the server.\n"])


def _gateway(settings: Settings) -> str:
    """Return the URL of the gateway; say so if nothing listens there yet."""
    deadline = time.monotonic() + _GATEWAY_SECONDS
    while not _listens(settings.gateway_bind[0]):
        if time.monotonic() > deadline:
            return f"{settings.gateway_url} (does not answer)"
        time.sleep(_PAUSE_SECONDS)
    return str(settings.gateway_url)


def _url(settings: Settings) -> str:
    tcp = [each for each in settings.bind if isinstance(each, TcpAddress)]
    preferred = sorted(tcp, key=lambda each: not each.is_loopback)
    return preferred[0].url if preferred else _printable(str(settings.bind[0]))


def _command() -> str:
    """Return the way to the command from here, as a shell reads it."""
    command = Path(sys.executable).parent / "strongroom"
    here = Path.cwd()
    return _typed(command.relative_to(here) if command.is_relative_to(here) else command)


def _sourced(path: Path) -> str:
    """Return the path as ``.`` of a shell takes it: without a slash it would search PATH."""
    return _typed(path) if "/" in str(path) else f"./{_typed(path)}"


def _typed(path: Path) -> str:
    """Quote a path for a shell."""
    return _printable(shlex.quote(str(path)))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _serves(address: Address) -> bool:
    """Return True if the server at the address is ready."""
    try:
        with closing(_connection(address)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == _OK
    except (OSError, HTTPException):
        return False


def _listens(address: Address) -> bool:
    """Return True if a program accepts connections at the address."""
    try:
        with closing(_connection(address)) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def _connection(address: Address) -> HTTPConnection:
    if isinstance(address, UnixSocket):
        return _UnixConnection(address.path)
    return HTTPConnection(urlsplit(address.url).netloc, timeout=_ANSWER_SECONDS)


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_SECONDS)
        self.sock.connect(self._path)
