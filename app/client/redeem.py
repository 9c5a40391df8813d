"""Redeem an injection token once, then become a command that has the secrets.

One file that needs nothing but the standard library of Python 3.9 or later, so that it can be
copied into an image as it is:

    python3 -I redeem.py -- command …                   # the token is in STRONGROOM_INJECTION_TOKEN
    python3 -I redeem.py --token-file /run/token -- command …
    python3 -I redeem.py --token-file /run/token --format json --output /run/app.json

RUNLOOP_BASE_URL names the server. The command inherits neither the token nor RUNLOOP_API_KEY and
replaces this process, so the exit code is the command's own, unless nothing was started:

    123   the server refused, for example a used or expired token: do not retry
    124   no usable response from the server in time: you may retry
    125   refused here: options, settings, names, sizes, files
    126   the command cannot be executed
    127   the command does not exist
    130   interrupted with Ctrl-C
"""

from __future__ import annotations

import argparse
import codecs
import ctypes
import errno
import fcntl
import json
import os
import re
import resource
import secrets
import select
import shlex
import shutil
import signal
import socket
import ssl
import stat
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import lru_cache
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

SERVER_REFUSED, UNAVAILABLE, INVALID, NOT_EXECUTABLE, NOT_FOUND = 123, 124, 125, 126, 127
_TOKEN_VARIABLE = "STRONGROOM_INJECTION_TOKEN"  # noqa: S105 - a name
_CREDENTIAL_VARIABLES = (_TOKEN_VARIABLE, "RUNLOOP_API_KEY")
_TOKEN_BYTES = 4096

# Credentials by their shape, wherever a user pasted them: first ours, of any prefix; then those
# that https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
# and their vendors document. The end may be missing.
_CREDENTIAL = re.compile(
    r"""(?xs)
    [A-Za-z]{2,10}_[0-9A-Za-z]{22}_[0-9A-Za-z]{22}_[0-9A-Za-z]+
    | (?<![0-9A-Za-z]) (?: (?: ak | rk | injt | gws ) _\w+
      | (?: sk | pk | whsec | gh[oprsu] | github_pat | npm | hf | gsk | r8 | glsa | sbp | dop_v1
          | shp(?:at|ca|pa|ss) | lin_api | dckr_[op]at ) _\w{8,}
      | (?: sk | gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat) | xox[a-z] | xapp | pypi | pplx
          | xai | tskey | nvapi | GOCSPX | AGE-SECRET-KEY ) -[\w-]{16,}
      | A(?: KIA | SIA | BIA | CCA )[0-9A-Z]{8,} | AIza[\w-]{16,} | ATATT[\w=-]{16,}
      | key-[0-9a-f]{32} | [bsr]\.[0-9A-Za-z]{20,}
      | (?: hv[bsr] | SG | ya29 ) \.[\w.-]{16,} | eyJ[\w-]{8,}[\w.-]* )
    | -----BEGIN\ .*? (?: -----END[^-]*----- | \Z )
    | (?<=://) [^/\s@]+ (?=@)
    | (?i: (?<=bearer\ ) | (?<=basic\ ) ) \S{16,}"""
)
_LONG = re.compile(r"[\w+=~.-]{40,}")  # likely a key if it has upper case, lower case and digits


def hide(text: str) -> str:
    """Replace everything that looks like a credential by an ellipsis."""
    return _LONG.sub(_hide_mixed, _CREDENTIAL.sub("…", text))


def _hide_mixed(run: re.Match[str]) -> str:
    mixed = all(re.search(kind, run[0]) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return "…" if mixed else run[0]


class Fault(NamedTuple):
    """A reason not to start: a sentence without any value, and an exit code.

    The sentence names the setting, variable, option or file at fault.
    """

    text: str
    code: int = INVALID


class Refused(Exception):
    """Nothing was started, for these reasons. Their exit code counts if all have the same one."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        codes = {fault.code for fault in faults}
        self.code = codes.pop() if len(codes) == 1 else INVALID
        self.faults = faults
        self.reasons = "".join(f"\n  {hide(fault.text)}" for fault in faults)
        self.message = f"nothing was started:{self.reasons}"


class RefusedByServer(Refused):
    """The server refused, with this HTTP status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(Fault(text, SERVER_REFUSED))
        self.status = status


def read_text(file: Path, limit: int, seconds: float) -> str:
    """Read a small file, or a pipe until its writer closes it.

    Raises:
        TimeoutError: The end did not come in time, as in a FIFO that nobody writes to.
        OSError: The file cannot be read.
        ValueError: It is larger than ``limit`` bytes, or not text.
    """
    remaining, raw = countdown(seconds), b""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        readable = select.poll()
        readable.register(descriptor, select.POLLIN)
        while len(raw) <= limit:
            if not readable.poll(1000 * remaining()):
                raise TimeoutError
            piece = os.read(descriptor, limit + 1 - len(raw))
            if not piece:
                return decode(raw)
            raw += piece
    finally:
        os.close(descriptor)
    raise ValueError("too large")


_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as editors of Windows write


def decode(raw: bytes) -> str:
    """Read text as UTF-8, or as UTF-16 if it begins so. A byte order mark is removed."""
    return raw.decode("utf-16" if raw.startswith(_UTF_16_MARKS) else "utf-8-sig")


def trim(setting: str) -> str:
    """Remove what a file leaves around a setting: a byte order mark, line ends, white space."""
    mark = os.fsdecode(codecs.BOM_UTF8)  # as the locale shows it
    return setting.removeprefix("\ufeff").removeprefix(mark).strip()


# ---- The server ----

# With the same nonce a redemption can be repeated for 60 s, so no retry may come later than that.
MAX_TIMEOUT_SECONDS = 55.0
_ATTEMPT_SECONDS = 12.0  # the server responds within 10
_START_SECONDS = 2.0  # for a server on this machine, or a resolver, that is just starting
_NOTICE_SECONDS = 2.0  # a longer wait is announced on a terminal
_RESPONSE_BYTES = 8 << 20  # 1 MiB of values, as JSON may escape them
_EXPLANATION_CHARACTERS = 10_000  # the rest of an error response is ignored
_SUCCESS = range(200, 300)
_MISSING = 404
_RETRIED = frozenset({408, 409, 429, *range(500, 600)})  # as the official clients do
_SERVER = r"https?://(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?(/[!-~]*)?"
_LOOPBACK = r"http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?(/.*)?"

_Document = Mapping[str, Any]
_Read = TypeVar("_Read")


def server_faults(base_url: str, *, allow_http: bool) -> list[Fault]:
    """Return the faults of RUNLOOP_BASE_URL. Sends nothing."""
    if not (re.fullmatch(_SERVER, base_url) and _names_host(base_url)):
        return [Fault("RUNLOOP_BASE_URL must be set, as https://HOST.")]
    if not (allow_http or base_url.startswith("https") or re.fullmatch(_LOOPBACK, base_url)):
        return [Fault("RUNLOOP_BASE_URL is not https (--allow-http permits plain text).")]
    return []


def _names_host(url: str) -> bool:
    """Return True if host and port are valid."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.netloc.startswith("["):
            socket.inet_pton(socket.AF_INET6, host)
        return bool(host.encode("idna")) and port != 0 and not (parts.query or parts.fragment)
    except (OSError, ValueError):
        return False


def credential_faults(name: str, credential: str) -> list[Fault]:
    """Return a fault if the credential cannot stand in a header."""
    if re.fullmatch("[!-~]+", credential):
        return []
    return [Fault(f"{name} must be set, in letters, digits and punctuation of ASCII.")]


class _Unusable(Exception):
    """An attempt without a usable response.

    ``reason`` is for the user, ``retry_after`` the server's Retry-After, and ``patience`` how long
    retries make sense, both in seconds.
    """

    def __init__(self, reason: str, retry_after: float = 0.0, patience: float = 60.0) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.patience = reason, retry_after, patience


def countdown(seconds: float) -> Callable[[], float]:
    """Return a function that reports the seconds remaining of ``seconds``, which is 55 at most."""
    end = time.monotonic() + min(MAX_TIMEOUT_SECONDS, seconds)  # in this order NaN becomes 55, too
    return lambda: max(0.0, end - time.monotonic())


def _failure(error: Exception, party: str, *, is_here: bool) -> Refused | _Unusable:
    """Distinguish an error that lasts from one that a retry may get past."""
    cause = getattr(error, "strerror", None) or type(error).__name__
    text = f"no response from the {party}: {cause}."
    if isinstance(error, socket.gaierror):
        if error.errno != socket.EAI_AGAIN:
            return Refused(Fault(text, UNAVAILABLE))
        return _Unusable(text, patience=_START_SECONDS)
    if isinstance(error, ConnectionRefusedError) and is_here:
        return _Unusable(text, patience=_START_SECONDS)
    return _Unusable(text)


# ---- The proxy ----

_PROXY = re.compile(
    r"(?i:http://)?(?:([!-~]*)@)?(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?/?"
)
_HTTP_PORT, _HTTPS_PORT, _PORTS = "80", 443, range(1, 1 << 16)
_CREDENTIALS_WANTED = 407


class Proxy:
    """Opens tunnels to servers, by CONNECT (RFC 9110, section 9.3.6).

    Attributes:
        name: For messages. It says which variable names the proxy, not where it is.
    """

    def __init__(self, variable: str, userinfo: str | None, host: str, port: int) -> None:
        self.name = f"proxy of {variable}"
        self._host, self._port = host, port
        self._credentials: bytes | None = None
        if userinfo is not None:
            user, _, password = userinfo.partition(":")
            self._credentials = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a connection to the server. Raises `Refused`, or what a retry may get past."""
        opened = None
        try:
            opened = socket.create_connection((self._host, self._port), timeout)
            self._open_tunnel(opened, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except Exception as error:
            if opened is not None:
                opened.close()
            if isinstance(error, (OSError, HTTPException)):
                raise _failure(error, self.name, is_here=_is_loopback(self._host)) from None
            raise
        return opened

    def _open_tunnel(self, opened: socket.socket, server: str) -> None:
        lines = [f"CONNECT {server} HTTP/1.1", f"Host: {server}"]
        if self._credentials is not None:
            lines.append(f"Proxy-Authorization: Basic {b64encode(self._credentials).decode()}")
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        with closing(HTTPResponse(opened, method="CONNECT")) as response:
            response.begin()
        if response.status in _SUCCESS:
            return
        text = f"the {self.name} did not connect to the server ({response.status})."
        if response.status == _CREDENTIALS_WANTED:
            missing = "wants USER:PASSWORD@ in its URL"
            does = missing if self._credentials is None else "refuses its user or password"
            text = f"the {self.name} {does} (407)."
        raise _Unusable(text) if response.status in _RETRIED else Refused(Fault(text, UNAVAILABLE))


def proxy_faults(base_url: str, environ: Mapping[str, str]) -> list[Fault]:
    """Return the fault of HTTPS_PROXY, if it counts for this server and is not usable."""
    variable, url = _proxy_url(base_url, environ)
    if not url or _parse_proxy(variable, url):
        return []
    return [Fault(f"{variable} must read http://HOST:PORT or http://USER:PASSWORD@HOST:PORT.")]


def proxy_for(base_url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for this server by HTTPS_PROXY and NO_PROXY; None for a direct way."""
    return _parse_proxy(*_proxy_url(base_url, environ))


def _parse_proxy(variable: str, url: str) -> Proxy | None:
    match = _PROXY.fullmatch(url)
    port = int(match[3] or _HTTP_PORT) if match else 0
    return (
        Proxy(variable, match[1], match[2].strip("[]"), port) if match and port in _PORTS else None
    )


def _proxy_url(base_url: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that counts and its URL, which is empty for a direct way.

    As in curl, names in lower case win. Plain http and this machine need no proxy.
    """
    variable, url = _first_set(environ, "https_proxy", "HTTPS_PROXY")
    _, direct = _first_set(environ, "no_proxy", "NO_PROXY")
    with suppress(ValueError):
        server = urlsplit(base_url)
        host, port = (server.hostname or "").rstrip("."), server.port or _HTTPS_PORT
        if server.scheme == "https" and not (_is_loopback(host) or _is_direct(host, port, direct)):
            return variable, url
    return variable, ""


def _first_set(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    values = [(name, environ.get(name, "").strip()) for name in names]
    return next((each for each in values if each[1]), ("", ""))


def _is_direct(host: str, port: int, listed: str) -> bool:
    """Return True if NO_PROXY lists the server, by the rules of Go's net/http/httpproxy.

    ``example.com`` stands for itself and what is below it, ``.example.com`` and ``*.example.com``
    for what is below it, ``*`` for everything. An address or a network (CIDR) stands for a URL
    with such an address; names are not looked up. A port may follow, but not after a network.
    """
    for entry in re.split(r"[,\s]+", listed.lower()):
        name, wanted = _split_port(entry)
        if name and wanted in {"", str(port)} and _covers(name, host):
            return True
    return False


def _split_port(entry: str) -> tuple[str, str]:
    name, _, port = entry.rpartition(":")
    is_bare_ipv6 = ":" in name and not name.endswith("]")
    if not port.isdigit() or is_bare_ipv6:
        name, port = entry, ""
    return name.strip("[]").rstrip("."), port


def _covers(name: str, host: str) -> bool:
    network, address = _network(name), _network(host)
    if network and address:
        return address.version == network.version and address[0] in network
    below = name.lstrip("*") if name.startswith("*.") else name
    return name in ("*", host) or host.endswith(below if below[0] == "." else f".{below}")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    with suppress(ValueError):
        network = ip_network(text, strict=False)
        mapped = getattr(network[0], "ipv4_mapped", None)
        return ip_network(mapped) if mapped and network.num_addresses == 1 else network
    return None


def _is_loopback(host: str) -> bool:
    network = _network(host)
    return host == "localhost" or (network is not None and network.is_loopback)


# ---- The client ----


class Client:
    """The server's API with one bearer credential. Retries; follows no redirect.

    All of its calls together take at most ``timeout`` seconds. A long wait is announced on a
    terminal, unless ``silent``.
    """

    silent = False

    def __init__(
        self, base_url: str, bearer: str, timeout: float, proxy: Proxy | None = None
    ) -> None:
        self._url, self._bearer = urlsplit(base_url), bearer
        self._proxy = proxy
        self._way = f", through the {proxy.name}" if proxy else ""
        self._remaining = countdown(timeout)
        self._began = time.monotonic()
        self._is_announced = False

    def call(
        self, path: str, read: Callable[[_Document], _Read | None], body: _Document | None = None
    ) -> _Read:
        """Send a GET, or a POST if there is a body, and return what ``read`` finds in the response.

        A response in which ``read`` finds nothing (None) is retried like a lost one.

        Raises:
            Refused: The server refused, or no usable response came in time.
        """
        headers = {"Authorization": f"Bearer {self._bearer}", "Content-Type": "application/json"}
        if body is not None:
            headers["x-request-id"] = secrets.token_urlsafe(16)  # the same on each retry
        pause = 0.25
        while True:
            try:
                return self._attempt(path, read, body, headers)
            except _Unusable as failed:
                wait = failed.retry_after or pause * (0.75 + secrets.randbelow(500) / 1000)
                if wait >= min(self._remaining(), failed.patience - self._waited()):
                    raise Refused(Fault(failed.reason, UNAVAILABLE)) from None
            self._announce()
            time.sleep(wait)
            pause = min(2 * pause, 4.0)

    def _attempt(
        self,
        path: str,
        read: Callable[[_Document], _Read | None],
        body: _Document | None,
        headers: dict[str, str],
    ) -> _Read:
        seconds = max(0.1, self._remaining())
        try:
            response, raw = _within(
                seconds, lambda: self._exchange(path, body, headers, seconds), self._announce
            )
            document: _Document = json.loads(raw) if raw.startswith(b"{") else {}
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise self._failure(error) from None
        if response.status not in _SUCCESS:
            raise self._refusal(response, document)
        found = read(document)
        if found is None:
            raise _Unusable("the server at RUNLOOP_BASE_URL sent an unexpected response.")
        return found

    def _failure(self, error: Exception) -> Refused | _Unusable:
        if isinstance(error, ssl.SSLCertVerificationError):
            text = f"the certificate of RUNLOOP_BASE_URL does not verify: {error.verify_message}."
            return Refused(Fault(text, UNAVAILABLE))
        if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
            text = "RUNLOOP_BASE_URL is https, but the server there speaks no TLS."
            return Refused(Fault(text, UNAVAILABLE))
        is_here = _is_loopback(self._url.hostname or "")
        return _failure(error, f"server at RUNLOOP_BASE_URL{self._way}", is_here=is_here)

    def _waited(self) -> float:
        return time.monotonic() - self._began

    def _announce(self) -> None:
        """Say on a terminal, once, what a longer wait is for."""
        if self.silent or self._is_announced or self._waited() < _NOTICE_SECONDS:
            return
        self._is_announced = True
        with suppress(AttributeError, OSError, ValueError):  # standard error may be closed
            if sys.stderr.isatty():
                sys.stderr.write(f"strongroom: waiting for {self._url.geturl()}{self._way}\n")
                sys.stderr.flush()

    def _exchange(
        self, path: str, body: _Document | None, headers: dict[str, str], seconds: float
    ) -> tuple[HTTPResponse, bytes]:
        """Send one request and read its whole response."""
        verb, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        with self.connection(min(seconds, _ATTEMPT_SECONDS)) as connection:
            connection.request(verb, self._url.path.rstrip("/") + path, data, headers)
            with closing(connection.getresponse()) as response:
                raw = response.read(_RESPONSE_BYTES)
            if response.headers.get("Content-Length", str(len(raw))) != str(len(raw)):
                raise IncompleteRead(b"")  # or too long; the error must not carry what was read
        return response, raw

    @contextmanager
    def connection(self, timeout: float) -> Iterator[HTTPConnection]:
        """Connect for one exchange. Each of its steps takes at most ``timeout`` seconds."""
        with closing(self.new_connection(timeout)) as connection:
            yield connection

    def new_connection(self, timeout: float) -> HTTPConnection:
        """Return a connection to the server, through the proxy if there is one."""
        if self._proxy:
            return _TunnelledConnection(self._url.netloc, timeout, self._proxy)
        connect = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        return connect(self._url.netloc, timeout=timeout)

    def _refusal(self, response: HTTPResponse, document: _Document) -> Refused | _Unusable:
        text = self.explain(response.status, document)
        if response.status not in _RETRIED or response.headers.get("x-should-retry") == "false":
            return RefusedByServer(text, response.status)
        after = response.headers.get("Retry-After", "")
        return _Unusable(text, float(after) if re.fullmatch("[0-9]{1,3}", after) else 0.0)

    def explain(self, status: int, document: _Document) -> str:
        """Make the server's error printable. The credential, if echoed back, is hidden."""
        text = hide(explanation(document).replace(self._bearer, "…"))[:500]
        said = f": {printable(text)}" if text else ""
        if status == _MISSING and self._url.path.strip("/"):
            said += "; RUNLOOP_BASE_URL has a path, under which the API may not be."
        return f"the server responded with {status}{said}"


def explanation(document: _Document) -> str:
    """Return the beginning of what an error response says, as the server sent it."""
    parts = (str(document.get(key, "")) for key in ("message", "code", "request_id"))
    return " · ".join(filter(None, parts))[:_EXPLANATION_CHARACTERS]


def printable(text: str) -> str:
    """Replace every character that could control a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class _TunnelledConnection(HTTPSConnection):
    """A connection through a proxy. TLS ends at the server, whose name is verified."""

    def __init__(self, server: str, timeout: float, proxy: Proxy) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(server, timeout=timeout, context=self._tls)
        self._seconds, self._proxy = timeout, proxy

    def connect(self) -> None:
        """Open the tunnel, and begin TLS with the server in it."""
        tunnel = self._proxy.connect(self.host, self.port, self._seconds)
        self.sock = self._tls.wrap_socket(tunnel, server_hostname=self.host)


def _within(seconds: float, work: Callable[[], _Read], announce: Callable[[], None]) -> _Read:
    """Return the result of the work, or raise `TimeoutError` once the seconds have passed.

    ``announce`` is called if the work takes long.
    A socket's own timeout ends neither a slow DNS look-up nor a response that trickles in.
    """
    results: list[_Read] = []
    errors: list[Exception] = []

    def do() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = Thread(target=do, daemon=True)
    thread.start()
    thread.join(min(seconds, _NOTICE_SECONDS))
    if thread.is_alive():
        announce()
        thread.join(max(0.0, seconds - _NOTICE_SECONDS))
    for error in errors:
        raise error
    for result in results:
        return result
    raise TimeoutError


def redeem(client: Client) -> dict[str, str]:
    """Exchange the client's token for its values, by variable. Raises `Refused`."""
    # 256 random bits: with them, and only for 60 s, a redemption can be retried.
    nonce = {"redeem_nonce": secrets.token_urlsafe(32)}
    return client.call("/v1/injections/redeem", _environment, nonce)


def _environment(document: _Document) -> dict[str, str] | None:
    values = document.get("environment")
    if isinstance(values, dict) and all(map(_is_text, [*values, *values.values()])):
        return values
    return None


def is_token(text: object) -> bool:
    """Return True if the text looks like an injection's token."""
    return isinstance(text, str) and bool(re.fullmatch("injt_[0-9A-Za-z_]{1,250}", text))


def _is_text(value: object) -> bool:
    """Return True if a variable can hold the value: no NUL, no unpaired surrogate."""
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


# ---- What may be set and started ----


class _Readers(NamedTuple):
    """Programs of one kind, the variables that control them, and the pages that list these.

    ``NAME`` is exact, ``NAME*`` a prefix, ``*NAME`` a suffix. ``NAME+`` is a prefix, too, but
    allows what ends like a credential's name (`_CREDENTIALS_NAME`): these programs do not read it.
    """

    programs: str
    names: str
    sources: tuple[str, ...]


# Names, in either case, whose value decides which code runs, whom it trusts or where credentials
# go: from the programs' own pages, and from what sudo drops for privileged commands.
_POWERFUL = (
    _Readers(
        "loaders and the C library",
        """
        LD_* DYLD_* _RLD* LDR_* LIBPATH LIB_PATH SHLIBPATH SHLIB_PATH GLIBC_TUNABLES MALLOC_*
        *SAN_OPTIONS *SAN_SYMBOLIZER_PATH LLVM_* GCOV_* GMON_OUT_PREFIX GCONV_PATH GETCONF_DIR
        CHARSETALIASDIR LOCPATH MUSL_LOCPATH PATH_LOCALE NLSPATH NIS_PATH LANG LANGUAGE LC_+ TZ
        TZDIR DATEMSK HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_* HESIOD_CONFIG AUTHSTATE
        POSIXLY_CORRECT ARGP_HELP_FMT TCMALLOC_* MIMALLOC_* HEAPPROFILE HEAPCHECK CPUPROFILE
        OMP_TOOL* OMPI_* OPAL_* PMIX_* PRTE_* FI_PROVIDER_PATH UCX_MODULE_DIR FLEXIBLAS*
        """,
        (
            "https://man7.org/linux/man-pages/man8/ld.so.8.html",
            "https://man7.org/linux/man-pages/man7/environ.7.html",
            "https://sourceware.org/glibc/manual/latest/html_node/Tunables.html",
            "https://www.ibm.com/docs/en/aix",
            "https://keith.github.io/xcode-man-pages/dyld.1.html",
            "https://www.sudo.ws/docs/man/sudoers.man/",
            "https://www.openmp.org/specifications/",
        ),
    ),
    _Readers(
        "shells",
        """
        PATH CDPATH FPATH MAILPATH MODULE_PATH IFS ENV SHELL HOME PWD OLDPWD BASH_* SHELLOPTS
        BASHOPTS KSH_* PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT_+ RPROMPT RPROMPT2 SPROMPT GLOBIGNORE
        EXECIGNORE FIGNORE FCEDIT INPUTRC HOSTFILE HISTFILE HISTIGNORE HISTCMD TIMEFORMAT
        COMP_WORDBREAKS ZDOTDIR ZSH_+ NULLCMD READNULLCMD TMPPREFIX FISH_+ STARSHIP_CONFIG DIRENV_+
        TMPDIR TMP TEMP TEMPDIR XDG_*
        """,
        (
            "https://www.gnu.org/software/bash/manual/html_node/Bash-Variables.html",
            "https://zsh.sourceforge.io/Doc/Release/Parameters.html",
            "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/sh.html",
            "https://fishshell.com/docs/current/language.html#special-variables",
            "https://specifications.freedesktop.org/basedir-spec/latest/",
        ),
    ),
    _Readers(
        "terminals, pagers, editors and what opens files",
        """
        TERM TERMINFO* TERMCAP TERMPATH TMUX TMUX_TMPDIR STY SCREENRC SCREENDIR SYSSCREENRC *PAGER
        *EDITOR *BROWSER *ASKPASS VISUAL LESS LESSOPEN LESSCLOSE LESSEDIT LESSECHO LESSKEY*
        LESSHISTFILE LESSSECURE* LESSGLOBALTAGS LESSMETA* MORE MOST_SWITCHES LV MANOPT MANPATH
        MANROFFOPT MANROFFSEQ MANLESS MANSECT MAN_+ INFOPATH GROFF_* TROFF* MAILCAPS MAILRC VIM
        VIMRUNTIME VIMINIT GVIMINIT EXINIT MYVIMRC NVIM_+ NVIMINIT EMACSLOADPATH EMACSDATA EMACSPATH
        EMACSDOC ALTERNATE_EDITOR NANORC FZF_+ BAT_+ RIPGREP_CONFIG_PATH ACKRC GREP_OPTIONS
        GREP_COLOR GREP_COLORS WWW_HOME LYNX_+ DISPLAY WAYLAND_DISPLAY XAUTHORITY
        """,
        (
            "https://man7.org/linux/man-pages/man1/less.1.html#ENVIRONMENT_VARIABLES",
            "https://man7.org/linux/man-pages/man1/man.1.html#ENVIRONMENT",
            "https://vimhelp.org/starting.txt.html",
            "https://www.gnu.org/software/emacs/manual/html_node/emacs/General-Variables.html",
            "https://github.com/BurntSushi/ripgrep/blob/master/GUIDE.md#configuration-file",
            "https://man7.org/linux/man-pages/man5/terminfo.5.html",
        ),
    ),
    _Readers(
        "make, compilers, linkers and what configures them",
        """
        AR AS LD CC CXX CPP FC F77 F90 M2C PC CO GET LEX YACC LINT MAKEINFO TEX TEXI2DVI WEAVE
        CWEAVE TANGLE CTANGLE RM OBJC OBJCXX NM RANLIB STRIP OBJCOPY OBJDUMP READELF WINDRES DLLTOOL
        NVCC NVCC_* HOSTCC HOSTCXX HOSTLD CROSS_COMPILE KBUILD_+ INSTALL AWK SED GREP M4 M4PATH
        BISON BISON_PKGDATADIR FLEX SWIG SWIG_LIB AUTOCONF AUTOHEADER AUTOM4TE AUTOMAKE AUTORECONF
        AUTOPOINT ACLOCAL ACLOCAL_PATH LIBTOOL LIBTOOLIZE CONFIG_SHELL CONFIG_SITE MAKE MAKEFILES
        MAKEFLAGS GNUMAKEFLAGS MFLAGS MAKEOVERRIDES MAKESHELL MAKE_COMMAND MAKE_TERMERR MAKE_TERMOUT
        MAKE_TMPDIR MAKE_VERSION MAKE_HOST VPATH SUFFIXES OUTPUT_OPTION LDLIBS LOADLIBES TARGET_ARCH
        TARGET_MACH ARFLAGS ASFLAGS COFLAGS F77FLAGS GFLAGS LFLAGS LINTFLAGS M2FLAGS DEFFLAGS
        MODFLAGS PFLAGS RFLAGS YFLAGS SCONSFLAGS *CFLAGS *CXXFLAGS *CPPFLAGS *FFLAGS *FCFLAGS
        *LDFLAGS *OBJCFLAGS GCC_* COLLECT_* CCC_OVERRIDE_OPTIONS CPATH *_INCLUDE_PATH COMPILER_PATH
        LIBRARY_PATH LPATH *_DEPENDENCIES_OUTPUT DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES CL _CL_
        LINK _LINK_ LIB INCLUDE PKG_CONFIG PKG_CONFIG_* CCACHE_+ SCCACHE_+ DISTCC_+ ICECC* CMAKE_+
        CTEST_+ MESON_+ NINJA_STATUS BAZELISK_+ CONAN_+ VCPKG_+ QMAKE* SOURCE_DATE_EPOCH TEXINPUTS
        TEXMF* TEXFORMATS BIBINPUTS BSTINPUTS OPENOUT_ANY OPENIN_ANY SHELL_ESCAPE
        SHELL_ESCAPE_COMMANDS
        """,
        (
            "https://www.gnu.org/software/make/manual/html_node/Implicit-Variables.html",
            "https://www.gnu.org/software/make/manual/html_node/Special-Variables.html",
            "https://gcc.gnu.org/onlinedocs/gcc/Environment-Variables.html",
            "https://learn.microsoft.com/cpp/build/reference/cl-environment-variables",
            "https://www.gnu.org/software/autoconf/manual/autoconf-2.72/html_node/Site-Defaults.html",
            "https://people.freedesktop.org/~dbn/pkg-config-guide.html",
            "https://cmake.org/cmake/help/latest/manual/cmake-env-variables.7.html",
            "https://ccache.dev/manual/latest.html",
            "https://tug.org/texinfohtml/kpathsea.html",
        ),
    ),
    _Readers(
        "Python and its tools",
        """
        PYTHON+ IPYTHONDIR IPYTHON_+ JUPYTER_+ PYDEVD_+ DEBUGPY_+ PYCHARM_+ COVERAGE_+ PYTEST_+
        TOX_+ NOX_+ MYPYPATH DJANGO_SETTINGS_MODULE *_SETTINGS_MODULE FLASK_APP FLASK_DEBUG
        FLASK_RUN_+ WERKZEUG_+ GUNICORN_CMD_ARGS UVICORN_+ HYPERCORN_+ CELERY_CONFIG_MODULE
        CELERY_LOADER CELERY_CUSTOM_WORKER_POOL MPLCONFIGDIR MPLBACKEND NUMBA_+ TORCH_EXTENSIONS_DIR
        TORCHINDUCTOR_+ TRITON_CACHE_DIR TRITON_*_PATH SETUPTOOLS_+ DISTUTILS_+ VIRTUAL_ENV
        VIRTUALENV_+ CONDA_+ CONDARC MAMBARC MAMBA_+ PIP_+ PIPENV_+ PIPX_+ UV_+
        POETRY_CERTIFICATES_* POETRY_REPOSITORIES_+ POETRY_VIRTUALENVS_+ POETRY_CACHE_DIR PDM_+
        HATCH_CONFIG HATCH_ENV* HATCH_PYTHON HATCH_DATA_DIR HATCH_CACHE_DIR TWINE_REPOSITORY
        TWINE_REPOSITORY_URL TWINE_CERT AIRFLOW__CORE__DAGS_FOLDER AIRFLOW__CORE__PLUGINS_FOLDER
        CLOUDSDK_PYTHON* PYENV_+
        """,
        (
            "https://docs.python.org/3/using/cmdline.html#environment-variables",
            "https://docs.djangoproject.com/en/stable/topics/settings/#envvar-DJANGO_SETTINGS_MODULE",
            "https://coverage.readthedocs.io/en/latest/subprocess.html",
            "https://docs.pytest.org/en/stable/reference/reference.html#environment-variables",
            "https://pip.pypa.io/en/stable/topics/configuration/#environment-variables",
            "https://docs.astral.sh/uv/reference/environment/",
            "https://flask.palletsprojects.com/en/stable/cli/",
            "https://matplotlib.org/stable/install/environment_variables_faq.html",
        ),
    ),
    _Readers(
        "Perl, Ruby, Lua, Tcl and PHP",
        """
        PERL* HARNESS_PERL* HARNESS_OPTIONS HARNESS_SUBCLASS RUBY+ RBENV_+ IRBRC PRYRC RAKEOPT
        RAKE_SYSTEM GEM_HOME GEM_PATH GEM_ROOT GEM_SPEC_CACHE GEMRC BUNDLE_GEMFILE BUNDLE_PATH
        BUNDLE_BIN BUNDLE_APP_CONFIG BUNDLE_USER_* BUNDLE_BUILD__* BUNDLE_LOCAL__* BUNDLE_MIRROR__*
        BUNDLE_SHEBANG BUNDLE_PLUGINS BUNDLE_TRUST* BUNDLE_DISABLE_CHECKSUM_VALIDATION
        BUNDLE_CACHE_PATH BUNDLER_SETUP BUNDLER_VERSION BUNDLER_ORIG_* LUA_* LUAROCKS_+ TCL+
        TK_LIBRARY TKPATH EXPECT_PROMPT PHPRC PHP_INI_* PHP_PEAR_* PHP_COMMAND XDEBUG_+ COMPOSER
        COMPOSER_VENDOR_DIR COMPOSER_BIN_DIR COMPOSER_CACHE_DIR COMPOSER_CAFILE
        COMPOSER_ALLOW_SUPERUSER PSYSH_CONFIG
        """,
        (
            "https://perldoc.perl.org/perlrun#ENVIRONMENT",
            "https://docs.ruby-lang.org/en/master/ruby/options_md.html",
            "https://bundler.io/man/bundle-config.1.html",
            "https://www.lua.org/manual/5.4/manual.html#7",
            "https://www.tcl-lang.org/man/tcl8.6/TclCmd/tclvars.htm",
            "https://www.php.net/manual/en/configuration.file.php",
            "https://getcomposer.org/doc/03-cli.md#environment-variables",
        ),
    ),
    _Readers(
        "JavaScript's runtimes and tools",
        """
        NODE_OPTIONS NODE_PATH NODE_REPL_* NODE_EXTRA_CA_CERTS NODE_TLS_* NODE_V8_COVERAGE
        NODE_USE_* NODE_REDIRECT_WARNINGS NODE_COMPILE_CACHE NODE_ICU_DATA NODE_CHANNEL_*
        NODE_UNIQUE_ID NODE_TEST_* NODE_DEBUG* NODE_PRESERVE_* NODE_DISABLE_* NODE_NO_* NODE_SKIP_*
        NODE_PENDING_* NODE_CONFIG NODE_CONFIG_* TS_NODE_* TSX_+ NPM_CONFIG_* NPM_EXECPATH
        NPM_NODE_EXECPATH NPM_LIFECYCLE_* YARN_RC* YARN_REG* YARN_YARN_PATH YARN_PLUGINS
        YARN_NPM_REG* YARN_IGNORE_PATH YARN_GLOBAL_FOLDER YARN_CACHE_FOLDER YARN_ENABLE_*
        YARN_UNSAFE_* YARN_HTTPS_CA_* PNPM_+ COREPACK_+ NVM_+ VOLTA_+ FNM_+ N_PREFIX N_NODE_MIRROR
        DENO_+ BUN_+ ELECTRON_+ PUPPETEER_+ PLAYWRIGHT_+ CYPRESS_INSTALL_BINARY CYPRESS_RUN_BINARY
        CHROME_PATH CHROME_BIN CHROME_WRAPPER *_BINARY_HOST *_BINARY_SITE *_BINARY_PATH
        *_EXECUTABLE_PATH *_DOWNLOAD_HOST
        """,
        (
            "https://nodejs.org/api/cli.html#environment-variables_1",
            "https://docs.npmjs.com/cli/using-npm/config#environment-variables",
            "https://yarnpkg.com/configuration/yarnrc",
            "https://docs.deno.com/runtime/reference/env_variables/",
            "https://bun.com/docs/runtime/environment-variables",
            "https://www.electronjs.org/docs/latest/api/environment-variables",
        ),
    ),
    _Readers(
        "Java and .NET",
        """
        JAVA JAVACMD JAVA_ARGS *JAVA_OPTIONS *JAVA_TOOL_OPTIONS *CLASSPATH M2 MAVEN_ARGS
        MAVEN_BATCH_* MAVEN_PROJECTBASEDIR MVNW_+ GRADLE_ARGS ANT_ARGS SBT_ARGS JVM_ARGS JPDA_*
        CATALINA_BASE CATALINA_TMPDIR LOG4J_+ LOGGING_CONFIG SPRING_CONFIG_* SPRING_APPLICATION_JSON
        SPRING_CLOUD_BOOTSTRAP_* QUARKUS_CONFIG_* MICRONAUT_CONFIG_* HADOOP_+ SPARK_CONF_DIR
        SPARK_DIST_* DOTNET_+ ASPNETCORE_+ COMPLUS_* COR_* CORECLR_* MONO_+ MSBUILD+ NUGET_+
        PSMODULEPATH PSMODULE* POWERSHELL_+ VSTEST_+
        """,
        (
            "https://docs.oracle.com/en/java/javase/21/troubleshoot/environment-variables-and-system-properties.html",
            "https://maven.apache.org/configure.html",
            "https://docs.spring.io/spring-boot/reference/features/external-config.html",
            "https://learn.microsoft.com/dotnet/core/tools/dotnet-environment-variables",
            "https://learn.microsoft.com/aspnet/core/fundamentals/host/platform-specific-configuration",
            "https://learn.microsoft.com/dotnet/framework/unmanaged-api/profiling/setting-up-a-profiling-environment",
            "https://www.mono-project.com/docs/advanced/runtime/docs/",
        ),
    ),
    _Readers(
        "Go, Rust and other languages",
        """
        GO111MODULE GOARCH GOAUTH GOBIN GOCACHE GOCACHEPROG GODEBUG GOENV GOEXE GOEXPERIMENT
        GOFIPS140 GOFLAGS GOGCCFLAGS GOHOST* GOINSECURE GOMOD GOMODCACHE GONOPROXY GONOSUMCHECK
        GONOSUMDB GOOS GOPATH GOPRIVATE GOPROXY GOROOT GOSUMDB GOTELEMETRY* GOTMPDIR GOTOOLCHAIN
        GOTOOLDIR GOVCS GOVERSION GOWORK GOAMD64 GOCOVERDIR GOTRACEBACK GCCGO GCCGOTOOLDIR CGO_+
        RUSTC RUSTC_* RUSTDOC RUSTDOC* RUSTFMT RUSTUP_* *RUSTFLAGS RUST_TARGET_PATH CLIPPY_+ CARGO
        CARGO_+ *_CREDENTIAL_PROVIDER *_CREDENTIAL_PROVIDERS JULIA_+ ERL_+ ERLC_+ ELIXIR_+ MIX_ENV
        MIX_EXS MIX_ARCHIVES MIX_PATH MIX_BUILD_PATH MIX_DEPS_PATH MIX_TARGET MIX_INSTALL_*
        MIX_REBAR* HEX_+ REBAR_+ RELEASE_VM_ARGS RELEASE_SYS_CONFIG RELEASE_BOOT_* R_HOME R_PROFILE*
        R_ENVIRON* R_LIBS* R_DEFAULT_PACKAGES R_BROWSER R_PDFVIEWER R_*CMD R_*_DIR R_MAKEVARS_*
        R_TESTS GHC_+ GHCRTS STACK_ROOT STACK_YAML STACK_CONFIG CABAL_+ OCAML* CAML* OPAM* ZIG_+
        DFLAGS GUILE_* SBCL_HOME PLTCOLLECTS PLTADDONDIR PLT_+ PUB_CACHE PUB_HOSTED_URL FLUTTER_ROOT
        FLUTTER_STORAGE_BASE_URL DART_VM_OPTIONS OCTAVE_+ MATLABPATH MATLAB_+ GNUPLOT_+ AWKPATH
        AWKLIBPATH BC_ENV_ARGS DC_ENV_ARGS
        """,
        (
            "https://pkg.go.dev/cmd/go#hdr-Environment_variables",
            "https://doc.rust-lang.org/cargo/reference/environment-variables.html",
            "https://rust-lang.github.io/rustup/environment-variables.html",
            "https://docs.julialang.org/en/v1/manual/environment-variables/",
            "https://www.erlang.org/doc/apps/erts/erl_cmd.html#environment-variables",
            "https://hexdocs.pm/mix/Mix.html#module-environment-variables",
            "https://stat.ethz.ch/R-manual/R-devel/library/base/html/Startup.html",
            "https://downloads.haskell.org/ghc/latest/docs/users_guide/packages.html",
            "https://ocaml.org/manual/latest/runtime.html",
            "https://www.gnu.org/software/gawk/manual/html_node/Environment-Variables.html",
        ),
    ),
    _Readers(
        "tools that start others, or install what is started later",
        """
        GIT_+ GIT_CONFIG_* CVSROOT CVS_* SVN_SSH SVN_MERGE HG HGRCPATH HGMERGE HGPLAIN*
        HGMODULEPOLICY BZR_* BRZ_* DARCS_+ P4CONFIG P4DIFF P4MERGE P4LOADERPATH P4TRUST P4ENVIRO
        SSH_AUTH_SOCK SSH_ASKPASS_REQUIRE SSH_SK_* SSH_PKCS11_* RSYNC_+ GNUPGHOME GPG_AGENT_INFO
        GPG_TTY PINENTRY_* PASSWORD_STORE_* TAR_OPTIONS TAPE GZIP GZIP_OPT BZIP BZIP2 XZ_OPT
        XZ_DEFAULTS LZOP ZIPOPT ZIPINFO UNZIP UNZIPOPT WGETRC SYSTEM_WGETRC CURL_HOME NETRC MAGICK_*
        GS_OPTIONS GS_LIB GS_FONTPATH FFREPORT FREI0R_PATH GH_HOST GH_PATH GH_REPO GITLAB_HOST
        GITLAB_URI GL_HOST APT_CONFIG DPKG_* DEBCONF_* RPM_CONFIGDIR FAKEROOT* SUDO_* HOMEBREW_+
        NIX_+ GUIX_* ASDF_+ MISE_+ SDKMAN_+ ANSIBLE_+ TF_CLI_* TF_DATA_DIR TF_PLUGIN_CACHE_DIR
        TF_REATTACH_PROVIDERS TF_LOG_PATH TF_WORKSPACE PACKER_+ VAGRANT_+ PULUMI_BACKEND_URL
        PULUMI_DEBUG_* HELM_PLUGINS HELM_DRIVER HELM_REPOSITORY_CACHE HELM_REPOSITORY_CONFIG
        HELM_REGISTRY_CONFIG HELM_KUBE* KREW_+ KUBECTL_+ *_COMMAND *_CMD *_PASSCOMMAND *_RSH *_OPTS
        *ADDOPTS *_OPTIONS *_CMD_ARGS *_WRAPPER *_LAUNCHER *_PRELOAD
        """,
        (
            "https://git-scm.com/docs/git#_environment_variables",
            "https://git-scm.com/docs/git-config#ENVIRONMENT",
            "https://man.openbsd.org/ssh#ENVIRONMENT",
            "https://download.samba.org/pub/rsync/rsync.1#ENVIRONMENT_VARIABLES",
            "https://www.gnu.org/software/tar/manual/html_section/using-tar-options.html",
            "https://www.gnu.org/software/wget/manual/html_node/Wgetrc-Location.html",
            "https://kubernetes.io/docs/reference/generated/kubectl/kubectl-commands#diff",
            "https://docs.ansible.com/ansible/latest/reference_appendices/config.html",
            "https://developer.hashicorp.com/terraform/cli/config/environment-variables",
            "https://helm.sh/docs/helm/helm/",
            "https://nix.dev/manual/nix/latest/command-ref/env-common",
            "https://docs.brew.sh/Manpage#environment",
            "https://imagemagick.org/script/resources.php",
        ),
    ),
    _Readers(
        "desktops, graphics and sound, which load modules",
        """
        GTK_* GTK2_* GDK_* GIO_* GST_+ GI_TYPELIB_PATH GSETTINGS_* GVFS_* PANGO_* FONTCONFIG_* QT_*
        QML_* QML2_* QTWEBENGINE* KDEDIRS KDEHOME XMODIFIERS XLOCALEDIR XKEYSYMDB XAPPLRESDIR
        XENVIRONMENT XFILESEARCHPATH XUSERFILESEARCHPATH XCURSOR_PATH XKB_+ ICEAUTHORITY
        SESSION_MANAGER *_BUS_ADDRESS DBUS_*_ADDRESS SDL_+ MOZ_* WEBKIT_* VK_+ XR_RUNTIME_JSON
        XR_API_LAYER_PATH OCL_ICD_* OPENCL_* __EGL_* __GLX_* EGL_* GBM_* LIBGL_* MESA_* LIBVA_*
        VDPAU_* CUDA_PATH CUDA_CACHE_PATH CUDA_INJECTION* HSA_TOOLS_LIB ROCP_* LADSPA_PATH DSSI_PATH
        LV2_PATH VST_PATH VST3_PATH CLAP_PATH VAMP_PATH ALSA_+ PULSE_+ PIPEWIRE_+ SPA_PLUGIN_DIR
        JACK_+ LIBCAMERA_* CUPS_+ SANE_* PROJ_DATA PROJ_LIB GDAL_+ *_PLUGIN_PATH *_PLUGIN_PATHS
        *_PLUGIN_DIR *_PLUGINS *_MODULE_PATH *_MODULE_FILE *_LIBRARY_PATH *_DRIVERS_PATH
        *_DRIVER_PATH
        """,
        (
            "https://docs.gtk.org/gtk3/running.html",
            "https://docs.gtk.org/gdk-pixbuf/",
            "https://doc.qt.io/qt-6/deployment-plugins.html",
            "https://gstreamer.freedesktop.org/documentation/gstreamer/running.html",
            "https://dbus.freedesktop.org/doc/dbus-specification.html",
            "https://github.com/KhronosGroup/Vulkan-Loader/blob/main/docs/LoaderInterfaceArchitecture.md",
            "https://github.com/OCL-dev/ocl-icd/blob/master/doc/libOpenCL.7.txt.in",
            "https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md",
            "https://www.ladspa.org/ladspa_sdk/overview.html",
            "https://docs.mesa3d.org/envvars.html",
        ),
    ),
    _Readers(
        "debuggers, profilers, tracers and service managers",
        """
        NOTIFY_SOCKET LISTEN_FDS LISTEN_FDNAMES LISTEN_PID WATCHDOG_* MAINPID MANAGERPID
        CREDENTIALS_DIRECTORY SYSTEMD_+ GDBHISTFILE DEBUGINFOD_* VALGRIND_LIB PERF_EXEC_PATH
        PERF_BUILDID_DIR LTTNG_* SYSTEMTAP_* OTEL_PYTHON_* OTEL_JAVAAGENT_* OTEL_DOTNET_*
        OTEL_NODE_* OTEL_*_CERTIFICATE OTEL_*_CLIENT_KEY DD_SITE DD_URL DD_DD_URL DD_AGENT_HOST
        DD_TRACE_AGENT_URL NEW_RELIC_HOST ELASTIC_APM_SERVER_URL ELASTIC_APM_SERVER_URLS SENTRY_URL
        AWS_LAMBDA_EXEC_WRAPPER AWS_LAMBDA_RUNTIME_API
        """,
        (
            "https://systemd.io/ENVIRONMENT/",
            "https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html",
            "https://sourceware.org/elfutils/Debuginfod.html",
            "https://opentelemetry.io/docs/specs/otel/protocol/exporter/",
            "https://opentelemetry.io/docs/zero-code/java/agent/configuration/",
            "https://docs.datadoghq.com/agent/guide/environment-variables/",
            "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html",
        ),
    ),
    _Readers(
        "TLS, which these make trust others",
        """
        SSL_CERT* SSL_CA* *_SSL_CERT* *_SSL_CA* SSLKEYLOGFILE OPENSSL_* CTLOG_FILE RANDFILE GNUTLS_*
        NSS_+ P11_KIT_* PKCS11_MODULE_PATH SOFTHSM2_CONF OPENSC_CONF OPENSC_DRIVER *_CA_BUNDLE
        *_CA_CERT *_CA_CERTS *_CA_FILE *_CA_PATH *_CA_DIR *_CAFILE *_CAPATH *_CACERT *_CACERTS
        *_CACERT_BYTES *_SSLROOTCERT *_ROOTS_FILE_PATH *_TRUSTSTORE_LOCATION *_TRUSTSTORE_PATH
        *_SKIP_VERIFY *_TLS_VERIFY *_TLS_SERVER_NAME *_SSL_VERIFY *_NO_VERIFY *_VERIFY_SSL
        *_VERIFY_TLS *_INSECURE *_STRICT_SSL GRPC_DEFAULT_SSL_ROOTS_FILE_PATH GRPC_SSL_*
        GRPC_PROXY_* GRPC_XDS_* GRPC_ALTS_* KRB5* GSS_* SASL_PATH SASL_CONF_PATH LDAPTLS_* LDAPCONF
        LDAPRC VAULT_CA* BAO_CA*
        """,
        (
            "https://docs.openssl.org/master/man7/openssl-env/",
            "https://curl.se/docs/sslcerts.html",
            "https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification",
            "https://grpc.github.io/grpc/core/md_doc_environment_variables.html",
            "https://web.mit.edu/kerberos/krb5-latest/doc/user/user_config/kerberos.html",
            "https://www.openldap.org/software/man.cgi?query=ldap.conf",
            "https://developer.hashicorp.com/vault/docs/commands#environment-variables",
        ),
    ),
    _Readers(
        "database clients",
        """
        PGSSL* PGREQUIRE* PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGPASSFILE PGOPTIONS PGHOSTADDR
        PGGSS* PGKRBSRVNAME PGCHANNELBINDING PGLOCALEDIR PSQLRC PSQL_HISTORY PSQL_EDITOR_*
        MYSQL_GROUP_SUFFIX MYSQL_TEST_LOGIN_FILE MYSQL_UNIX_PORT MYSQL_TCP_PORT MYSQL_HISTFILE
        MYSQL_PS1 MYSQL_DEBUG LIBMYSQL_* MARIADB_PLUGIN_DIR MARIADB_TLS_* TNS_ADMIN ORACLE_BASE
        ORACLE_PATH ORA_+ SQLPATH TWO_TASK ODBCINI ODBCSYSINI ODBCINSTINI ODBCINSTUI FREETDS
        FREETDSCONF TDSVER TDSPORT TDSHOST TDSQUERY TDSDUMP* SYBASE SYBASE_OCS DB2INSTANCE
        DB2DSDRIVER_CFG_PATH INFORMIXDIR SQLHOSTS INFORMIXSQLHOSTS SQLITE_+ REDISCLI_RCFILE
        REDISCLI_HISTFILE CQLSH_+ DBT_PROFILES_DIR DBT_PROJECT_DIR ETCDCTL_ENDPOINTS
        """,
        (
            "https://www.postgresql.org/docs/current/libpq-envars.html",
            "https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-ENVIRONMENT",
            "https://dev.mysql.com/doc/refman/8.4/en/environment-variables.html",
            "https://docs.oracle.com/en/database/oracle/oracle-database/23/netrf/",
            "https://www.unixodbc.org/odbcinst.html",
            "https://www.freetds.org/userguide/envvar.html",
        ),
    ),
    _Readers(
        "clients of services: where they send, and with which credentials",
        """
        *_PROXY *_BASE_URL* *_BASEURL *_API_URL* *_ENDPOINT_URL* *_API_BASE *_API_HOST *_AUTH_URL
        *_ENDPOINT *_ADDR *_INDEX_URL *_MIRROR *_EMULATOR_HOST *_HOME *_CONFIG_FILE *_CONFIG_FILES
        *_CONFIG_PATH *_CONFIG_DIR *_CONF_DIR *_CONFIG_LOCATION *_CONFIG_LOCATIONS SOCKS_SERVER
        SOCKS5_SERVER TSOCKS_CONF_FILE PROXYCHAINS_* BOTO_CONFIG AWS_SHARED_CREDENTIALS_FILE
        AWS_DATA_PATH AWS_CONTAINER_* AWS_WEB_IDENTITY_TOKEN_FILE AWS_EC2_METADATA_* CLOUDSDK_CONFIG
        CLOUDSDK_ROOT_DIR CLOUDSDK_API_* CLOUDSDK_PROXY_+ CLOUDSDK_CORE_CUSTOM_* GCE_METADATA_*
        GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES GOOGLE_CLOUD_UNIVERSE_DOMAIN AZURE_AUTHORITY_HOST
        AZURE_EXTENSION_DIR AZURE_FEDERATED_TOKEN_FILE KUBECONFIG KUBERNETES_MASTER
        KUBERNETES_SERVICE_* KUBERNETES_EXEC_INFO DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT
        DOCKER_CERT_PATH DOCKER_TLS* DOCKER_CONTENT_TRUST DOCKER_CONTENT_TRUST_SERVER DOCKER_CLI_*
        BUILDX_+ BUILDKIT_HOST COMPOSE_FILE COMPOSE_ENV_FILES CONTAINER_HOST CONTAINERD_ADDRESS
        CONTAINERS_*CONF* STORAGE_DRIVER REGISTRY_AUTH_FILE NERDCTL_TOML GITHUB_SERVER_URL
        OLLAMA_HOST DATABRICKS_HOST LANGFUSE_HOST ANTHROPIC_CUSTOM_HEADERS CLAUDE_CODE_+
        STRONGROOM_*
        """,
        (
            "https://curl.se/libcurl/c/libcurl-env.html",
            "https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html",
            "https://cloud.google.com/sdk/docs/properties#setting_properties_using_environment_variables",
            "https://google-auth.readthedocs.io/en/latest/reference/google.auth.environment_vars.html",
            "https://learn.microsoft.com/python/api/overview/azure/identity-readme#environment-variables",
            "https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/",
            "https://docs.docker.com/reference/cli/docker/#environment-variables",
            "https://docs.podman.io/en/latest/markdown/podman.1.html#environment-variables",
            "https://platform.openai.com/docs/libraries",
            "https://docs.anthropic.com/en/docs/claude-code/settings#environment-variables",
        ),
    ),
)

_CREDENTIALS_NAME = re.compile(
    r".*_(TOKENS?|KEY|PASSWORD|PASSWD|PASSPHRASE|SECRET|PAT|CREDENTIALS|USERNAME)"
)


class _Patterns(NamedTuple):
    """The patterns of one kind of programs, sorted by what compares them fastest."""

    programs: str
    names: Collection[str]
    beginnings: tuple[str, ...]
    ends: tuple[str, ...]
    others: Collection[str]


@lru_cache(maxsize=2)
def _patterns(is_credential: bool) -> list[_Patterns]:  # noqa: FBT001 - the key of the cache
    """Return the patterns that count for a name, which may end like a credential's."""
    found = []
    for programs, names, _ in _POWERFUL:
        counting = [n for n in names.split() if not (is_credential and n.endswith("+"))]
        patterns = {pattern.replace("+", "*") for pattern in counting}
        single = {pattern for pattern in patterns if pattern.count("*") == 1}
        beginnings = {pattern for pattern in single if pattern.endswith("*")}
        ends = {pattern for pattern in single if pattern.startswith("*")}
        exact = {pattern for pattern in patterns if "*" not in pattern}
        found.append(
            _Patterns(
                programs,
                exact,
                tuple(pattern[:-1] for pattern in beginnings),
                tuple(pattern[1:] for pattern in ends),
                patterns - exact - beginnings - ends,
            )
        )
    return found


def changes(name: str) -> str | None:
    """Return the kind of programs that a variable of this name controls, if there is one."""
    name = name.upper()
    for kind in _patterns(_CREDENTIALS_NAME.fullmatch(name) is not None):
        if (
            name in kind.names
            or name.startswith(kind.beginnings)
            or name.endswith(kind.ends)
            or any(_fits(name, pattern) for pattern in kind.others)
        ):
            return kind.programs
    return None


def _fits(name: str, pattern: str) -> bool:
    begin, *middle, end = pattern.split("*")
    return (
        len(name) >= len(begin) + len(end)
        and name.startswith(begin)
        and name.endswith(end)
        and all(piece in name for piece in middle)
    )


class Allowed(NamedTuple):
    """The user's exceptions: powerful names that may be set, and leave to replace variables."""

    names: Iterable[str]
    override: bool


def is_variable(name: str) -> bool:
    """Return True if a variable can have this name."""
    return re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) is not None


def name_faults(names: Iterable[str], inherited: Iterable[str], allowed: Allowed) -> list[Fault]:
    """Return a fault for each name that is malformed, powerful, or already set."""
    faults = []
    for name in sorted(names):
        if not is_variable(name):
            faults.append(Fault(f"{ascii(name)[:80]} cannot be the name of a variable."))
        elif name not in allowed.names and (programs := changes(name)):
            text = f"{name} controls {programs} (--allow-name {name} permits it)."
            faults.append(Fault(text))
        elif name in inherited and not allowed.override:
            faults.append(Fault(f"{name} is already set (--override replaces it)."))
    return faults


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without the credentials."""
    return {name: value for name, value in environ.items() if name not in _CREDENTIAL_VARIABLES}


def erase_credentials() -> None:
    """Overwrite every copy of our credentials that /proc/<pid>/environ shows.

    `os.environ` is another copy, and stays.
    """
    libc = ctypes.CDLL(None)
    libc.getenv.restype, libc.strlen.restype = ctypes.c_void_p, ctypes.c_size_t
    for name in map(str.encode, _CREDENTIAL_VARIABLES):
        while value := libc.getenv(name):
            begin = value - len(name) - 1
            ctypes.memset(begin, 0, libc.strlen(ctypes.c_void_p(begin)))


def command_faults(command: Sequence[str], inherited: Mapping[str, str]) -> list[Fault]:
    """Return the faults of a command that is missing, not executable, or too long."""
    path, shown = inherited.get("PATH", os.defpath), _shown(command)
    if shutil.which(command[0], path=path):
        return _size_faults(command, inherited)
    if Path(command[0]).is_dir() or shutil.which(command[0], os.F_OK, path):
        return [Fault(f"{shown} cannot be executed.", NOT_EXECUTABLE)]
    return [Fault(f"{shown}: there is no such command.", NOT_FOUND)]


def _shown(command: Sequence[str]) -> str:
    """Return the command's name, without the value if it is an assignment by mistake."""
    return re.sub("=.*", "=…", command[0], flags=re.DOTALL)


# From execve(2): 131,072 bytes for one string with its NUL; for all strings and their pointers a
# quarter of the stack's limit, at most 6 MiB.
_STRING_BYTES, _TOTAL_BYTES = 32 * resource.getpagesize(), 6 << 20


class Excess(NamedTuple):
    """A string, or all of them together, that execve(2) does not take. Sizes are in bytes."""

    name: str
    size: int
    limit: int


ALL_STRINGS = "all variables and arguments"


def oversized(command: Sequence[str], environment: Mapping[str, str]) -> list[Excess]:
    """Return the strings for which execve(2) would fail with E2BIG; `ALL_STRINGS` comes last."""
    strings = {f"argument {i}": text for i, text in enumerate(command)}
    strings |= {name: f"{name}={value}" for name, value in environment.items()}
    sizes = {k: len(v.encode(errors="surrogateescape")) + 1 for k, v in strings.items()}
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    limit = _TOTAL_BYTES if stack == resource.RLIM_INFINITY else min(stack // 4, _TOTAL_BYTES)
    total = sum(sizes.values()) + 8 * len(sizes) + 4096  # for what the kernel adds
    found = [Excess(k, size, _STRING_BYTES) for k, size in sizes.items() if size > _STRING_BYTES]
    return [*found, Excess(ALL_STRINGS, total, limit)] if total > limit else found


def _size_faults(command: Sequence[str], environment: Mapping[str, str]) -> list[Fault]:
    return [
        Fault(f"{name}: {size} bytes; the kernel's limit is {limit}.")
        for name, size, limit in oversized(command, environment)
    ]


def prepare(
    command: Sequence[str],
    inherited: Mapping[str, str],
    values: Mapping[str, str],
    allowed: Allowed,
    files: Collection[str] = (),
) -> dict[bytes, bytes]:
    """Return the command's environment, or raise `Refused`. Values are UTF-8 in every locale.

    The variables in ``files`` get paths of files in memory once the command is executed.
    """
    faults = name_faults(values, inherited, allowed)
    plain = {name: value for name, value in values.items() if name not in files}
    faults += _size_faults(command, {**inherited, **plain, **dict.fromkeys(files, LONGEST_PATH)})
    if faults:
        raise Refused(*faults)
    environment = {os.fsencode(name): os.fsencode(value) for name, value in inherited.items()}
    environment |= {name.encode(): value.encode() for name, value in plain.items()}
    return environment | {name.encode(): FileContent(values[name].encode()) for name in files}


# ---- Gateway tokens, and the variables by which SDKs take them ----


class _Sdk(NamedTuple):
    """The variables by which programs take a base URL and a key.

    Attributes:
        prefix: The variable of the gateway token, unless another is named.
        variables: By name, with ``{url}``, ``{token}``, and ``{scheme}://{place}`` for the URL.
        file: The variable that gets the path of a file with its text, if one does.
    """

    prefix: str
    variables: Mapping[str, str]
    file: str = ""


# Tried with the clients themselves: see docs/gateway.md.
_SDKS: Mapping[str, _Sdk] = {
    "anthropic": _Sdk("ANTHROPIC", {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "{token}"}),
    "openai": _Sdk("OPENAI", {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{token}"}),
    "git": _Sdk(
        "GITHUB",
        {
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "url.{url}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
            "GIT_CONFIG_KEY_1": "http.{url}/.extraHeader",
            "GIT_CONFIG_VALUE_1": "Authorization: Bearer {token}",
        },
    ),
    "npm": _Sdk(
        "NPM",
        {"NPM_CONFIG_USERCONFIG": "registry={url}/\n//{place}/:_authToken={token}\n"},
        file="NPM_CONFIG_USERCONFIG",
    ),
    "pip": _Sdk("PYPI", {"PIP_INDEX_URL": "{scheme}://token:{token}@{place}/simple/"}),
}
SDK_NAMES = tuple(_SDKS)


def gateway_variables(prefix: str) -> tuple[str, str]:
    """Return the variables of a gateway token and of its URL."""
    return prefix, f"{prefix}_URL"


class SdkChoice(NamedTuple):
    """One ``--sdk NAME``, or ``NAME=PREFIX`` for a gateway token in another variable."""

    name: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> SdkChoice | None:
        """Return the choice, or None if there is no such SDK."""
        name, _, prefix = text.partition("=")
        sdk = _SDKS.get(name)
        return None if sdk is None else cls(name, prefix or sdk.prefix)

    @property
    def names(self) -> list[str]:
        """The variables that it sets."""
        return [*_SDKS[self.name].variables]

    @property
    def files(self) -> list[str]:
        """Those of them that get the path of a file."""
        return [*filter(None, [_SDKS[self.name].file])]

    def values(self, tokens: Mapping[str, str]) -> dict[str, str]:
        """Return its variables for the token that is among these."""
        token, url = (tokens[name] for name in gateway_variables(self.prefix))
        scheme, _, place = url.partition("://")
        parts = {"url": url, "token": token, "scheme": scheme, "place": place}
        return {
            name: template.format(**parts) for name, template in _SDKS[self.name].variables.items()
        }


def sdk_choices(texts: Iterable[str]) -> tuple[list[SdkChoice], list[Fault]]:
    """Return the choices, and a fault if one is none or two set the same variable."""
    found = [SdkChoice.parse(text) for text in texts]
    choices = [choice for choice in found if choice is not None]
    names = [name for choice in choices for name in choice.names]
    faults = []
    if len(choices) < len(found):
        faults.append(Fault(f"--sdk: must be NAME or NAME=PREFIX of {', '.join(SDK_NAMES)}."))
    if len(set(names)) < len(names):
        faults.append(Fault("--sdk: two set the same variable."))
    return choices, faults


def absent_tokens(choices: Iterable[SdkChoice], names: Collection[str]) -> list[Fault]:
    """Return a fault for each choice whose gateway token is not among these variables."""
    return [
        Fault(f"--sdk {choice.name}: there is no gateway token in {ascii(choice.prefix)[1:80]}.")
        for choice in choices
        if not set(gateway_variables(choice.prefix)) <= set(names)
    ]


def set_twice(choices: Iterable[SdkChoice], names: Iterable[str]) -> list[Fault]:
    """Return a fault for each variable that an SDK needs and that something else sets."""
    twice = {name for choice in choices for name in choice.names} & set(names)
    return [Fault(f"--sdk: {name} is set twice.") for name in sorted(twice)]


def with_sdks(
    values: Mapping[str, str], choices: Sequence[SdkChoice], allowed: Allowed
) -> tuple[dict[str, str], Allowed, list[str]]:
    """Add the variables of SDKs to values that include the gateway tokens.

    Returns the values, the exceptions with those variables, and the variables for paths of files.
    """
    if faults := set_twice(choices, values):
        raise Refused(*faults)
    names = [name for choice in choices for name in choice.names]
    added = dict(values)
    for choice in choices:
        added.update(choice.values(values))
    files = [name for choice in choices for name in choice.files]
    return added, Allowed([*allowed.names, *names], allowed.override), files


# ---- Files in memory, which end with the command ----

LONGEST_PATH = "/proc/4194304/fd/1048576"  # for counting sizes
_FIRST_DESCRIPTOR = 100  # shells and scripts use lower numbers for their own files
_NOEXEC_SEAL = 8  # memfd_create(2), Linux 6.3; Python 3.9 does not name it


class FileContent(bytes):
    """Bytes in an environment for which the command gets the path of a file that contains them."""

    def __repr__(self) -> str:
        return "FileContent(…)"

    __str__ = __repr__


def memory_file_faults() -> list[Fault]:
    """Return a fault if this system has no files in memory that end with their process."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        return []
    return [Fault("--file needs Linux with a /proc.")]


def _with_files(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Make the files of the process that becomes the command, and put in their paths."""
    return {
        name: _make_memory_file(value) if isinstance(value, FileContent) else value
        for name, value in environment.items()
    }


def _make_memory_file(content: bytes) -> bytes:
    """Make a sealed file that nobody can change, and return its path.

    The path leads through our process, so that others of the same user can open it, too. The kernel
    frees the file once no process has it open.
    """
    made = _anonymous_file()
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(made, rest) :]
        os.fchmod(made, 0o400)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, seals)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        first = _FIRST_DESCRIPTOR if soft > 2 * _FIRST_DESCRIPTOR else 3
        passed_on = fcntl.fcntl(made, fcntl.F_DUPFD, first)
    finally:
        os.close(made)
    return f"/proc/{os.getpid()}/fd/{passed_on}".encode()


def _anonymous_file() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("secret", flags | _NOEXEC_SEAL)
    except OSError:  # an older kernel
        return os.memfd_create("secret", flags)


# ---- The command ----

_core_limits: list[tuple[int, int]] = []  # from before each `forbid_dumps`; the first counts


def forbid_dumps(*, for_good: bool = False) -> None:
    """Forbid core files of this process and inspection by others. Every entry point calls it first.

    Executing a command ends this. With ``for_good``, that command leaves no core file either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _core_limits.append((soft, hard))
    with suppress(OSError):  # a seccomp filter may forbid it; on Linux prctl suffices
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, prctl(2)


def _permit_dumps() -> None:
    """Restore the limit that we were started with, for the command to inherit."""
    for limits in _core_limits[:1]:
        with suppress(OSError):
            resource.setrlimit(resource.RLIMIT_CORE, limits)


_LINE_BYTES = 80  # as Bash does, to distinguish scripts from programs


def execute(command: Sequence[str], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Become the command, or raise `Refused`. Signals that Python ignores get their defaults."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    _permit_dumps()
    path = os.fsdecode(environment.get(b"PATH", os.defpath))
    file = shutil.which(command[0], path=path) or command[0]
    try:
        environment = _with_files(environment)
    except OSError as error:
        text = f"--file: no file in memory can be made: {error.strerror}."
        raise Refused(Fault(text, NOT_EXECUTABLE)) from None
    try:
        _execute_file(file, command, environment)
    except OSError as error:
        text = f"{_shown(command)} cannot be executed: {error.strerror}."
        raise Refused(Fault(text, NOT_EXECUTABLE)) from None


def _execute_file(
    file: str, command: Sequence[str], environment: Mapping[bytes, bytes]
) -> NoReturn:
    """Execute the file. The shell runs a script without ``#!``, as execvp(3) has it."""
    try:
        os.execve(file, [*command], environment)  # noqa: S606 - our purpose
    except OSError as error:
        if error.errno != errno.ENOEXEC or not _is_script(file):
            raise
    script = file if os.path.dirname(file) else os.path.join(os.curdir, file)  # noqa: PTH118, PTH120
    os.execve("/bin/sh", ["/bin/sh", script, *command[1:]], environment)  # noqa: S606 - the same


def _is_script(file: str) -> bool:
    """Return True if the first line has no NUL, as a program for another processor has one."""
    with Path(file).open("rb") as opened:
        return b"\0" not in opened.readline(_LINE_BYTES)


# ---- Files, for programs that read files ----


def _shell(values: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _dotenv(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={_dotenv_quoted(value)}\n" for name, value in values.items())


# All readers end a line at a carriage return. In single quotes python-dotenv expands ${…} and reads
# \\ as one backslash; in double quotes it differs from sh, and from Node's, in most escapes.
_SINGLE_QUOTED = re.compile(r"([^'\\\r$]|\\(?!\\|\Z)|\$(?!\{))*")
_DOUBLE_QUOTED = re.compile(r"""[^"\\\r$`]*""")


def _dotenv_quoted(value: str) -> str | None:
    """Quote a value for sh, python-dotenv and Node's dotenv; None if they would not agree on it."""
    if _SINGLE_QUOTED.fullmatch(value):
        return f"'{value}'"
    return f'"{value}"' if _DOUBLE_QUOTED.fullmatch(value) else None


# From bufio's longest token, which `docker run --env-file` reads lines by.
_DOCKER_LINE_BYTES = 1 << 16


def _docker(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _dotenv_fault(name: str, value: str) -> str | None:
    if _dotenv_quoted(value) is None:
        return f"{name} has a value that readers of dotenv files disagree on."
    return None


def _docker_fault(name: str, value: str) -> str | None:
    if re.search("[\r\n]", value):
        return f"{name} has a value with line ends, which a line for Docker cannot hold."
    if re.fullmatch("(['\"]).*\\1", value):
        return f"{name} has a value in quotes, which some versions of Docker remove."
    if len(_docker({name: value}).encode()) > _DOCKER_LINE_BYTES:
        return f"{name} has a value that is too long for Docker: a line has at most 64 KiB."
    return None


def format_faults(form: str | None, values: Mapping[str, str]) -> list[Fault]:
    """Return a fault for each value that readers of the format would change."""
    fault = {"dotenv": _dotenv_fault, "docker": _docker_fault}.get(form or "")
    if fault is None:
        return []
    texts = [text for name, value in values.items() if (text := fault(name, value))]
    hint = "--format json and --format shell preserve every value."
    return [Fault(text) for text in [*texts, hint]] if texts else []


FORMATS: dict[str, Callable[..., str]] = {
    "docker": _docker,
    "dotenv": _dotenv,
    "json": json.dumps,
    "shell": _shell,
}
DIRECTORY = "systemd-credentials"  # one file per name, as LoadCredential= reads them
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def output_faults(
    form: str, output: Path, *, allow_disk: bool, option: str = "--output"
) -> list[Fault]:
    """Return a fault if writing would follow a link, or replace anything but a plain file."""
    place = _draft_place(form, output)
    if not os.access(place, os.W_OK | os.X_OK):
        return [Fault(f"{option}: nothing can be created in {place}.")]
    if os.path.lexists(output) and not _is_replaceable(form, output):
        return [Fault(f"{option}: {output} already exists and cannot be replaced.")]
    if not (allow_disk or is_in_memory(place)):
        return [Fault(f"{option}: {place} is not in memory (--allow-disk permits it).")]
    return []


def _draft_place(form: str, output: Path) -> Path:
    """Return the directory for drafts, on the output's own file system.

    That is the output itself if it is a directory to fill: it may be a mount point.
    """
    filled = form == DIRECTORY and output.is_dir() and not output.is_symlink()
    return output if filled else output.parent


def _is_replaceable(form: str, output: Path) -> bool:
    if output.is_symlink():
        return False
    if form == DIRECTORY:
        return output.is_dir() and os.access(output, os.R_OK) and not any(output.iterdir())
    return output.is_file() and is_removable(output)


def is_removable(file: Path) -> bool:
    """Return True if the file, which exists, can be removed or replaced."""
    directory = file.parent.stat()
    sticky = directory.st_mode & stat.S_ISVTX
    owner = os.geteuid() in {0, directory.st_uid, file.lstat().st_uid}
    mounted = str(file.parent.resolve() / file.name) in {mount.point for mount in _mounts()}
    writable = os.access(file.parent, os.W_OK | os.X_OK)
    return writable and (owner or not sticky) and not mounted


def is_in_memory(place: Path) -> bool:
    """Return True if a file or directory is on no disk."""
    number = place.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    return any(mount.device == device and mount.kind in _IN_MEMORY for mount in _mounts())


class _Mount(NamedTuple):
    device: str
    point: str
    kind: str


def _mounts() -> Iterator[_Mount]:
    """Yield all mounted file systems, from proc(5); none where there is no /proc."""
    try:
        text = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return
    for line in filter(None, text.split("\n")):
        before, _, after = line.partition(" - ")
        device, point = before.split(" ")[2:5:2]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        yield _Mount(device, point, after.partition(" ")[0])


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Postpone signals that would end us, so that no draft with values in it stays behind."""
    ending = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@_uninterrupted()
def write(form: str, output: Path, values: Mapping[str, str]) -> None:
    """Make a file of mode 0600, or a directory of mode 0700 of such files, whole or not at all.

    A directory that exists, perhaps a mount point, is filled. Drafts have no name where the file
    system allows that (O_TMPFILE), so a kill leaves none behind. Where it does not, or while a new
    directory gets its files, a kill leaves a draft, which the next start removes.
    """
    place = _draft_place(form, output)
    _remove_abandoned_drafts(place)
    if form != DIRECTORY:
        _make_file(place, output.name, FORMATS[form](values).encode())
    elif place == output:
        _fill(output, values)
    else:
        with _draft(place) as made:
            _fill(made, values)
            made.replace(output)


def _fill(directory: Path, values: Mapping[str, str]) -> None:
    with ExitStack() as undo:
        for name, value in values.items():
            _make_file(directory, name, value.encode())
            undo.callback(Path(directory, name).unlink)
        undo.pop_all()


def _make_file(directory: Path, name: str, content: bytes) -> None:
    """Make or replace a file. Nobody ever sees a part of it."""
    try:
        _make_nameless_file(directory, name, content)
    except (AttributeError, OSError):  # not Linux, no O_TMPFILE on this file system, or no /proc
        with _draft(directory) as made:
            Path(made, name).touch(mode=0o600)
            Path(made, name).write_bytes(content)
            Path(made, name).replace(directory / name)


def _make_nameless_file(directory: Path, name: str, content: bytes) -> None:
    """Write a file that the kernel removes if we end before it has a name, open(2)."""
    with ExitStack() as closed:
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        closed.callback(os.close, place)
        nameless = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600, dir_fd=place)
        closed.callback(os.close, nameless)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(nameless, rest) :]
        source = Path(f"/proc/self/fd/{nameless}")
        source.stat()
        with suppress(FileNotFoundError):  # link(2) never replaces a file
            os.unlink(name, dir_fd=place)
        os.link(source, name, dst_dir_fd=place, follow_symlinks=True)


_DRAFT = ".strongroom-draft-"


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Yield an empty directory on the file system of ``place``, and remove it afterwards.

    Its lock ends with this process: a draft without a lock was abandoned.
    """
    outer, lock = _locked_directory(place)
    try:
        made = outer / "made"
        made.mkdir(mode=0o700)
        yield made
    finally:
        shutil.rmtree(outer)
        os.close(lock)


def _locked_directory(place: Path) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(dir=place, prefix=_DRAFT))
        lock = _lock(directory)
        if lock is not None and directory.exists():
            return directory, lock
        if lock is not None:  # another start found it unlocked, and removed it
            os.close(lock)


def _lock(directory: Path) -> int | None:
    """Lock the directory until the returned descriptor is closed; None if that is impossible."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned_drafts(place: Path) -> None:
    """Remove the drafts of starts that were killed."""
    for path in place.glob(_DRAFT + "*"):
        lock = _lock(path)
        if lock is not None:
            if os.fstat(lock).st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


# ---- The command line ----


def _take_token(
    options: argparse.Namespace, environ: Mapping[str, str], seconds: float
) -> tuple[str, list[Fault]]:
    file: Path | None = options.token_file or options.token_mount
    try:
        text = read_text(file, _TOKEN_BYTES, seconds) if file else environ.get(_TOKEN_VARIABLE, "")
    except TimeoutError:
        return "", [Fault(f"{file}: no injection token arrived in time.", UNAVAILABLE)]
    except (OSError, ValueError):
        text = ""
    token = trim(text)
    if not is_token(token):
        return "", [Fault(f"{file or _TOKEN_VARIABLE} holds no injection token (injt_…).")]
    if options.token_file and options.token_file.lstat().st_mode & 0o077:  # every link has 0777
        return "", [Fault(f"--token-file: {file} is not of mode 0600 (or use --token-mount).")]
    if options.token_file and not is_removable(options.token_file):
        return "", [Fault(f"--token-file: {file} cannot be removed (or use --token-mount).")]
    return token, []


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise `Refused` without the argument itself, which may be a credential."""
        text = re.split("['\"]|(?<=arguments): ", message)[0].rstrip(": ")
        raise Refused(Fault(f"{text} (see --help)."))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        usage="strongroom redeem [options] -- command …",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-file", type=Path, metavar="FILE", help="removed once redeemed")
    token.add_argument("--token-mount", type=Path, metavar="FILE", help="a read-only file, stays")
    parser.add_argument("--format", choices=[*FORMATS, DIRECTORY], help="files, not variables")
    parser.add_argument("--output", type=Path, metavar="PATH", help="where --format writes")
    parser.add_argument("--allow-disk", action="store_true", help="permit values on a disk")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="NAME",
        dest="files",
        help="a variable for the path of a file in memory with the value",
    )
    sdks = f"variables for a gateway token: {', '.join(SDK_NAMES)}; NAME=PREFIX for another's"
    parser.add_argument(
        "--sdk", action="append", default=[], metavar="NAME", dest="sdks", help=sdks
    )
    parser.add_argument("--allow-name", action="append", default=[], metavar="NAME")
    parser.add_argument("--override", action="store_true", help="replace variables already set")
    parser.add_argument("--allow-http", action="store_true", help="permit a server without TLS")
    parser.add_argument("--timeout", type=float, default=MAX_TIMEOUT_SECONDS, metavar="SECONDS")
    end = argv.index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:end])
    options.command = argv[end + 1 :]
    if bool(options.format) != bool(options.output) or not (options.command or options.format):
        parser.error("give a command after --, or --format with --output, or both")
    if (options.files or options.sdks) and (options.format or not options.command):
        parser.error("give --file and --sdk with a command after --, and without --format")
    return options


def _start(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    remaining = countdown(options.timeout)
    base_url = trim(environ.get("RUNLOOP_BASE_URL", ""))
    inherited = inherited_environment(environ)
    allowed = Allowed(options.allow_name, options.override)
    token, faults = _take_token(options, environ, remaining())
    faults += server_faults(base_url, allow_http=options.allow_http)
    faults += proxy_faults(base_url, environ)
    if options.format:
        disk: bool = options.allow_disk
        faults += output_faults(options.format, options.output, allow_disk=disk)
    sdks, wrong = sdk_choices(options.sdks)
    faults += command_faults(options.command, inherited) + wrong if options.command else []
    faults += memory_file_faults() if options.files or any(sdk.files for sdk in sdks) else []
    if faults:
        raise Refused(*faults)
    proxy = proxy_for(base_url, environ)
    values = redeem(Client(base_url, token, remaining(), proxy))
    if options.token_file:
        options.token_file.unlink()
    if options.format:
        if faults := name_faults(values, (), allowed) + format_faults(options.format, values):
            raise Refused(*faults, Fault("The token is used."))
        write(options.format, options.output, values)
        values = {}
    if options.command:
        _become(options, sdks, values, inherited)


def _become(
    options: argparse.Namespace,
    sdks: Sequence[SdkChoice],
    values: Mapping[str, str],
    inherited: Mapping[str, str],
) -> NoReturn:
    """Become the command, with the values and what SDKs need in its environment."""
    if absent := sorted(set(options.files) - values.keys()):
        raise Refused(*(Fault(f"--file: the injection has no {name}.") for name in absent))
    if faults := absent_tokens(sdks, values.keys()):
        raise Refused(*faults)
    allowed = Allowed(options.allow_name, options.override)
    values, allowed, files = with_sdks(values, sdks, allowed)
    environment = prepare(options.command, inherited, values, allowed, [*options.files, *files])
    execute(options.command, environment)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run ``strongroom redeem``; returns only if no command was started."""
    try:
        forbid_dumps()
        erase_credentials()
        _start(_options(argv), environ)
    except Refused as refused:
        sys.stderr.write(f"strongroom redeem: {refused.message}\n")
        return refused.code
    except OSError as error:  # removing the token or writing the output
        sys.stderr.write(f"strongroom redeem: {hide(str(error.filename))}: {error.strerror}\n")
        return INVALID
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 - a traceback could show what was read
        kind = type(error).__name__
        sys.stderr.write(f"strongroom redeem: unexpected error: {kind}\n")
        return INVALID
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
