"""Redeem an injection token once, then become a command that has the secrets.

One file that needs nothing but the standard library of Python 3.9 or later, so that it can be
copied into an image as it is:

    python3 -I redeem.py -- command …                   # the token is in STRONGROOM_INJECTION_TOKEN
    python3 -I redeem.py --token-file /run/token -- command …
    python3 -I redeem.py --token-file /run/token --format json --output /run/app.json

RUNLOOP_BASE_URL names the server. The command inherits neither the token nor RUNLOOP_API_KEY and
takes over this process, so the exit code is the command's own, unless nothing was started:

    123   the server refused, for example a used or expired token: trying again will not help
    124   no usable answer from the server in time: trying again may help
    125   refused here: options, settings, names, sizes, files
    126   the command cannot be executed
    127   the command does not exist
    130   interrupted with Ctrl-C
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import resource
import secrets
import shlex
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlsplit

SERVER_REFUSED, UNAVAILABLE, INVALID, NOT_EXECUTABLE, NOT_FOUND = 123, 124, 125, 126, 127
_TOKEN_VARIABLE = "STRONGROOM_INJECTION_TOKEN"  # noqa: S105 - a name
_CREDENTIAL = re.compile(r"\b(injt|ak)_\w+")  # whatever it was pasted into


class Fault(NamedTuple):
    """A sentence that names the setting, variable, option or file, never a value; an exit code."""

    text: str
    code: int = INVALID


class Refused(Exception):
    """Nothing was started, for all these reasons; the exit code is theirs if they agree."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        codes = {fault.code for fault in faults}
        self.code = codes.pop() if len(codes) == 1 else INVALID
        lines = "".join(f"\n  {_CREDENTIAL.sub('…', fault.text)}" for fault in faults)
        self.message = f"nothing was started:{lines}"


# ---- The server ----

# The nonce makes a redemption repeatable for 30 s, so no retry may come later than that.
MAX_TIMEOUT_SECONDS = 25.0
_SILENCE_SECONDS = 12.0  # after which it is asked again; the server answers within 10
_ANSWER_BYTES = 8 << 20  # 1 MiB of values, as JSON may escape them
_SUCCESS = range(200, 300)
_RETRIED = frozenset({408, 409, 429, *range(500, 600)})  # those of the official clients
_SERVER = r"https?://(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{1,5})?(/[!-~]*)?"
_LOOPBACK = r"http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?(/.*)?"

_Document = Mapping[str, Any]
_Read = TypeVar("_Read")


def server_faults(base_url: str, *, allow_http: bool) -> list[Fault]:
    """What is wrong with RUNLOOP_BASE_URL, without asking the network."""
    if not (re.fullmatch(_SERVER, base_url) and _names_host(base_url)):
        return [Fault("RUNLOOP_BASE_URL must be set, as https://HOST.")]
    if not (allow_http or base_url.startswith("https") or re.fullmatch(_LOOPBACK, base_url)):
        return [Fault("RUNLOOP_BASE_URL is not https (--allow-http permits plain text).")]
    return []


def _names_host(url: str) -> bool:
    """Whether host and port can exist."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.netloc.startswith("["):
            socket.inet_pton(socket.AF_INET6, host)
        return bool(host.encode("idna")) and port != 0 and not (parts.query or parts.fragment)
    except (OSError, ValueError):
        return False


def credential_faults(name: str, credential: str) -> list[Fault]:
    """Whether it can be sent."""
    if re.fullmatch("[!-~]+", credential):
        return []
    return [Fault(f"{name} must be set, in letters, digits and punctuation of ASCII.")]


class _NoAnswer(Exception):
    """Nothing usable came: why, and for how many seconds the server wants to be left alone."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class Client:
    """The server's API with one bearer credential: no redirect, no proxy, retries as usual."""

    def __init__(self, base_url: str, bearer: str, timeout: float) -> None:
        self._url, self._bearer = urlsplit(base_url), bearer
        self._timeout = min(MAX_TIMEOUT_SECONDS, timeout)  # in this order NaN is too much, too

    def call(
        self, path: str, read: Callable[[_Document], _Read | None], body: _Document | None = None
    ) -> _Read:
        """What ``read`` finds in the answer to a GET, or to a POST if there is a body.

        An answer in which ``read`` finds nothing (none) is asked for again, as a lost one is.

        Raises:
            Refused: By the server; or no such answer came in time.
        """
        headers = {"Authorization": f"Bearer {self._bearer}", "Content-Type": "application/json"}
        if body is not None:
            headers["x-request-id"] = secrets.token_urlsafe(16)  # the same on each retry
        deadline, pause = time.monotonic() + self._timeout, 0.25
        while True:
            try:
                return self._attempt(path, read, body, headers, deadline)
            except _NoAnswer as failed:
                wait = failed.wait or pause * (0.75 + secrets.randbelow(500) / 1000)
                if time.monotonic() + wait >= deadline:
                    raise Refused(Fault(failed.reason, UNAVAILABLE)) from None
            time.sleep(wait)
            pause = min(2 * pause, 4.0)

    def _attempt(
        self,
        path: str,
        read: Callable[[_Document], _Read | None],
        body: _Document | None,
        headers: dict[str, str],
        deadline: float,
    ) -> _Read:
        left = max(0.1, deadline - time.monotonic())
        try:
            response, raw = _within(left, lambda: self._exchange(path, body, headers, left))
            document: _Document = json.loads(raw) if raw.startswith(b"{") else {}
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            text = f"no answer from the server at RUNLOOP_BASE_URL: {cause}."
            raise _NoAnswer(text) from None
        if response.status not in _SUCCESS:
            raise self._refusal(response, document)
        found = read(document)
        if found is None:
            text = "the server at RUNLOOP_BASE_URL answered something else than what was asked for."
            raise _NoAnswer(text)
        return found

    def _exchange(
        self, path: str, body: _Document | None, headers: dict[str, str], left: float
    ) -> tuple[HTTPResponse, bytes]:
        """Send one request, and get the whole of its answer."""
        connect = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        verb, data = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        silence = min(left, _SILENCE_SECONDS)
        with closing(connect(self._url.netloc, timeout=silence)) as connection:
            connection.request(verb, self._url.path.rstrip("/") + path, data, headers)
            with closing(connection.getresponse()) as response:
                raw = response.read(_ANSWER_BYTES)
        if response.headers.get("Content-Length", str(len(raw))) != str(len(raw)):
            raise IncompleteRead(b"")  # or too long; what came is nobody's to see
        return response, raw

    def _refusal(self, response: HTTPResponse, document: _Document) -> Refused | _NoAnswer:
        text = self._explain(response.status, document)
        if response.status not in _RETRIED or response.headers.get("x-should-retry") == "false":
            return Refused(Fault(text, SERVER_REFUSED))
        after = response.headers.get("Retry-After", "")
        return _NoAnswer(text, float(after) if re.fullmatch("[0-9]{1,3}", after) else 0.0)

    def _explain(self, status: int, document: _Document) -> str:
        """What the server said, fit for a terminal, and never the credential echoed back."""
        said = " · ".join(str(document.get(key, "")) for key in ("message", "code", "request_id"))
        said = said.replace(self._bearer, "…")[:500]
        printable = "".join(c if c.isprintable() else "?" for c in said)
        return f"the server answered {status}: {printable}"


def _within(seconds: float, work: Callable[[], _Read]) -> _Read:
    """What the work gives, or `TimeoutError`; a socket's own ends no look-up and no trickle."""
    results: list[_Read] = []
    errors: list[Exception] = []

    def do() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in errors:
        raise error
    for result in results:
        return result
    raise TimeoutError


def redeem(client: Client) -> dict[str, str]:
    """The values that the client's token stands for, by variable; raises `Refused`."""
    # 256 random bits: with them, and only for 30 s, a lost answer can be asked for again.
    nonce = {"redeem_nonce": secrets.token_urlsafe(32)}
    return client.call("/v1/injections/redeem", _environment, nonce)


def _environment(document: _Document) -> dict[str, str] | None:
    values = document.get("environment")
    if isinstance(values, dict) and all(map(_is_text, [*values, *values.values()])):
        return values
    return None


def is_token(text: object) -> bool:
    """Whether it looks like an injection's."""
    return isinstance(text, str) and bool(re.fullmatch("injt_[0-9A-Za-z_]{1,250}", text))


def _is_text(value: object) -> bool:
    """Whether a variable can hold it: no NUL, no unpaired surrogate."""
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


# ---- What may be set and started ----

# Names, in either case, whose value decides what code runs, what is trusted or where credentials
# go. From what sudo and glibc drop for privileged programs, and the manuals of the programs named.
_POWERFUL = re.compile(
    r"""(?xi)
    # the loader and the C library
    LD_.* | DYLD_.* | _RLD.* | LDR_.* | (SH)?LIB_?PATH | GLIBC_TUNABLES | MALLOC_.* | \w+SAN_OPTIONS
    | (GCONV_|LOC|NLS|NIS_)PATH | PATH_LOCALE | GETCONF_DIR | TZDIR | HOSTALIASES | LOCALDOMAIN
    | RES_OPTIONS | RESOLV_.* | AUTHSTATE
    # shells, and whom programs call
    | (CD|F)?PATH | IFS | ENV | BASH_.* | (BASH|SHELL)OPTS | PROMPT_COMMAND | PS[0-4] | GLOBIGNORE
    | ZDOTDIR | (READ)?NULLCMD | HOME | SHELL | (OLD)?PWD | TMP(DIR|PREFIX)? | TEMP | XDG_.*
    | TERM(INFO.*|CAP|PATH)? | .*(PAGER|EDITOR|ASKPASS) | VISUAL | FCEDIT | BROWSER | MAILCAPS
    | LESS(OPEN|CLOSE|KEY.*)? | (VIM|EX)INIT | INPUTRC | EMACSLOADPATH | DBUS_.*_ADDRESS
    # options and commands of whichever program
    | .*_(OPTS|ADDOPTS|RSH|COMMAND|PASSCOMMAND)
    # interpreters
    | PYTHON.* | IPYTHONDIR | CLOUDSDK_PYTHON.* | GUNICORN_CMD_ARGS | PYTEST_PLUGINS
    | PERL.* | RUBY(OPT|LIB|SHELL).* | GEM_(HOME|PATH) | BUNDLE_(GEMFILE|PATH|BIN)
    | NODE_(OPTIONS|PATH|REPL_.*|EXTRA_CA_CERTS|TLS_.*) | ELECTRON_RUN_AS_NODE
    | DENO_(DIR|CERT) | PHPRC | PHP_INI_.* | .*JAVA_(TOOL_)?OPTIONS | (JAVA|M2|GRADLE_USER)_HOME
    | (MAVEN|GRADLE|ANT|SBT|JVM)_ARGS | CLASSPATH | PSMODULEPATH | DOTNET_.* | COR(ECLR)?_.*
    | COMPLUS_.* | MONO_.* | LUA_.* | TCLLIBPATH | JULIA_.* | ERL_.* | ELIXIR_.*
    | R_(HOME|PROFILE|ENVIRON|LIBS).*
    # compilers and what builds
    | CC | CXX | (C|CPP|CXX|F|FC|LD)FLAGS | GCC_EXEC_PREFIX | CPATH | (C|CPLUS|OBJC)_INCLUDE_PATH
    | (LIBRARY|COMPILER)_PATH | PKG_CONFIG_.* | CCACHE_.* | (GNU)?MAKE(FLAGS|FILES)
    | GO(FLAGS|PROXY|PATH|ROOT|ENV|TOOLCHAIN|DEBUG|AUTH|CACHEPROG|.*SUMDB)
    | RUST(C|DOC|UP|FLAGS).* | CARGO_(HOME|BUILD|TARGET|HTTP|NET|ALIAS).*
    | CARGO_.*_(CREDENTIAL_PROVIDERS?|INDEX) | NIX_(PATH|CONFIG)
    # tools that start others, or install what is started later
    | GIT_.* | SSH_(AUTH_SOCK|SK_.*|PKCS11_.*) | RSYNC_.* | SVN_SSH | HG(RCPATH|MERGE) | GNUPGHOME
    | TAR_OPTIONS | (UN)?ZIPOPT | NPM_CONFIG_.* | YARN_(RC|REG|YARN_PATH|PLUGINS|NPM_REG).*
    | PIP_.* | UV_(.*INDEX.*|CONFIG_FILE) | TWINE_REPOSITORY.* | HELM_PLUGINS | TF_CLI_.*
    | (GTK|QT|GIO|GST|VK)_.* | LIBMYSQL_PLUGIN.* | ODBC(SYS|INST)?INI | SASL_(CONF_)?PATH | PSQLRC
    | (ANSIBLE|BUN|CGO|CMAKE|COREPACK|JUPYTER)_(?!(.*_)?(TOKEN|KEY|PASSWORD|SECRET)\Z).*
    # whom to trust
    | (.*_)?SSL_(CERT|CA).* | SSLKEYLOGFILE | OPENSSL_.* | .*_CA_(BUNDLE|CERTS?|FILE) | KRB5.*
    | PG(SSLMODE|SSLROOTCERT|SERVICEFILE|SYSCONFDIR|PASSFILE) | LDAP(TLS_.*|CONF|RC)
    | (VAULT|BAO)_(CA(CERT|PATH).*|SKIP_VERIFY|TLS_SERVER_NAME)
    # where to send, and with which credentials
    | .*_PROXY | .*_(BASE|API|ENDPOINT)_URL(_.*)? | .*_API_BASE | .*_(ENDPOINT|ADDR)
    | WGETRC | CURL_HOME | NETRC | BOTO_CONFIG | AWS_(CONFIG|SHARED_CREDENTIALS)_FILE
    | AWS_CONTAINER_CREDENTIALS_.*URI | KUBECONFIG | DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH)
    | CONTAINER_HOST | CONTAINERS_.*CONF | REGISTRY_AUTH_FILE | (GH|GITLAB)_HOST | STRONGROOM_.*"""
)


class Allowed(NamedTuple):
    """Powerful names that may be set all the same, and whether what is set may be replaced."""

    names: Iterable[str]
    override: bool


def name_faults(names: Iterable[str], inherited: Iterable[str], may: Allowed) -> list[Fault]:
    """Names that are no variable's, that change what programs do, or that are set already."""
    faults = []
    for name in sorted(names):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            faults.append(Fault(f"{ascii(name)[:80]} cannot be the name of a variable."))
        elif _POWERFUL.fullmatch(name) and name not in may.names:
            faults.append(Fault(f"{name} changes what programs do (--allow-name {name} permits)."))
        elif name in inherited and not may.override:
            faults.append(Fault(f"{name} is already set (--override replaces it)."))
    return faults


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the command gets of our environment: all but the credentials."""
    return {k: v for k, v in environ.items() if k not in {_TOKEN_VARIABLE, "RUNLOOP_API_KEY"}}


def command_faults(command: Sequence[str], inherited: Mapping[str, str]) -> list[Fault]:
    """Whether the command exists, can be executed, and fits beside what it inherits."""
    path = inherited.get("PATH", os.defpath)
    if shutil.which(command[0], path=path):
        return _size_faults(command, inherited)
    if Path(command[0]).is_dir() or shutil.which(command[0], os.F_OK, path):
        return [Fault(f"{command[0]} cannot be executed.", NOT_EXECUTABLE)]
    return [Fault(f"{command[0]}: there is no such command.", NOT_FOUND)]


# From execve(2): 131,072 bytes for one string with its NUL; for all of them with their pointers a
# quarter of the stack's limit, at most 6 MiB.
_STRING_BYTES, _TOTAL_BYTES = 32 * resource.getpagesize(), 6 << 20


def _size_faults(command: Sequence[str], environment: Mapping[str, str]) -> list[Fault]:
    """What execve(2) would answer with E2BIG; 4 KiB are left for what the kernel adds."""
    strings = {f"argument {i}": text for i, text in enumerate(command)}
    strings |= {name: f"{name}={value}" for name, value in environment.items()}
    sizes = {k: len(v.encode(errors="surrogateescape")) + 1 for k, v in strings.items()}
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    limit = _TOTAL_BYTES if stack == resource.RLIM_INFINITY else min(stack // 4, _TOTAL_BYTES)
    total = sum(sizes.values()) + 8 * len(sizes) + 4096
    found = [(name, size, _STRING_BYTES) for name, size in sizes.items() if size > _STRING_BYTES]
    found += [("all variables and arguments", total, limit)] if total > limit else []
    return [Fault(f"{name}: {n} bytes, and the kernel takes {most}.") for name, n, most in found]


def prepare(
    command: Sequence[str], inherited: Mapping[str, str], values: Mapping[str, str], may: Allowed
) -> dict[bytes, bytes]:
    """The command's environment, or `Refused`; values are UTF-8 whatever the locale says."""
    faults = name_faults(values, inherited, may)
    faults += _size_faults(command, {**inherited, **values})
    if faults:
        raise Refused(*faults)
    environment = {os.fsencode(name): os.fsencode(value) for name, value in inherited.items()}
    return environment | {name.encode(): value.encode() for name, value in values.items()}


_core_limits: list[tuple[int, int]] = []  # as they were before `forbid_dumps`; the first counts


def forbid_dumps(*, for_good: bool = False) -> None:
    """No core file, and no look into this process by another: first of all in every entry point.

    Executing a command ends this. With `for_good` a command executed by us leaves no core either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _core_limits.append((soft, hard))
    with suppress(OSError):  # a seccomp filter forbids it; on Linux the other way suffices
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, prctl(2)


def _permit_dumps() -> None:
    """What is executed next has the limit that we were started with."""
    for limits in _core_limits[:1]:
        with suppress(OSError):
            resource.setrlimit(resource.RLIMIT_CORE, limits)


def execute(command: Sequence[str], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Become the command, or `Refused`; the signals that Python ignores are as usual again."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    _permit_dumps()
    try:
        os.execvpe(command[0], [*command], environment)  # noqa: S606 - what we are for
    except OSError as error:
        text = f"{command[0]} cannot be executed: {error.strerror}."
        raise Refused(Fault(text, NOT_EXECUTABLE)) from None


# ---- Files, for programs that read files ----


def _shell(values: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _dotenv(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={_dotenv_quoted(value)}\n" for name, value in values.items())


# All of them take a carriage return for the end of a line. In single quotes python-dotenv expands
# ${…} and takes \\ for one; in double quotes it differs from sh, and from Node's, in most escapes.
_SINGLE_QUOTED = re.compile(r"([^'\\\r$]|\\(?!\\|\Z)|\$(?!\{))*")
_DOUBLE_QUOTED = re.compile(r"""[^"\\\r$`]*""")


def _dotenv_quoted(value: str) -> str | None:
    """What sh, python-dotenv and Node's dotenv all read as the value, if there is such a thing."""
    if _SINGLE_QUOTED.fullmatch(value):
        return f"'{value}'"
    return f'"{value}"' if _DOUBLE_QUOTED.fullmatch(value) else None


def format_faults(form: str | None, values: Mapping[str, str]) -> list[Fault]:
    """Values that would be read as others."""
    if form != "dotenv":
        return []
    lost = [name for name, value in values.items() if _dotenv_quoted(value) is None]
    faults = [Fault(f"{name} holds what readers of dotenv files disagree on.") for name in lost]
    hint = "The token is used. --format json and --format shell keep every value."
    return [*faults, Fault(hint)] if faults else []


_FORMATS: dict[str, Callable[..., str]] = {"dotenv": _dotenv, "json": json.dumps, "shell": _shell}
_DIRECTORY = "systemd-credentials"  # one file a name, as LoadCredential= reads them
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def output_faults(form: str, output: Path, *, allow_disk: bool) -> list[Fault]:
    """Whether the output can be made without following a link or losing anything but a file."""
    place = _draft_place(form, output)
    if not os.access(place, os.W_OK | os.X_OK):
        return [Fault(f"--output: nothing can be created in {place}.")]
    if os.path.lexists(output) and not _can_give_way(form, output):
        return [Fault(f"--output: {output} is there already and cannot be replaced.")]
    if form == _DIRECTORY and not (allow_disk or _is_in_memory(place)):
        return [Fault(f"--output: {place} is not in memory (--allow-disk permits).")]
    return []


def _draft_place(form: str, output: Path) -> Path:
    """Where drafts are made: on the output's own file system, which its parent may not be on."""
    filled = form == _DIRECTORY and output.is_dir() and not output.is_symlink()
    return output if filled else output.parent


def _can_give_way(form: str, output: Path) -> bool:
    if output.is_symlink():
        return False
    if form == _DIRECTORY:
        return output.is_dir() and os.access(output, os.R_OK) and not any(output.iterdir())
    return output.is_file() and is_removable(output)


def is_removable(file: Path) -> bool:
    """Whether the file, which is there, can be removed or replaced."""
    directory = file.parent.stat()
    anybody = not directory.st_mode & stat.S_ISVTX
    owner = os.geteuid() in {0, directory.st_uid, file.lstat().st_uid}
    mounted = str(file.parent.resolve() / file.name) in {mount.point for mount in _mounts()}
    writable = os.access(file.parent, os.W_OK | os.X_OK)
    return writable and (anybody or owner) and not mounted


def _is_in_memory(directory: Path) -> bool:
    number = directory.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    return any(mount.device == device and mount.kind in _IN_MEMORY for mount in _mounts())


class _Mount(NamedTuple):
    device: str
    point: str
    kind: str


def _mounts() -> Iterator[_Mount]:
    """All file systems, from proc(5), which Linux has."""
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
def _undisturbed() -> Iterator[None]:
    """What would end us waits, so that no draft with values in it is left behind."""
    ending = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@_undisturbed()
def write(form: str, output: Path, values: Mapping[str, str]) -> None:
    """Make a file of mode 0600, or a directory of mode 0700 of such files, whole or not at all.

    A directory that is there, perhaps a mount point, stays what it is and is filled.
    """
    files = values if form == _DIRECTORY else {output.name: _FORMATS[form](values)}
    place = _draft_place(form, output)
    with tempfile.TemporaryDirectory(dir=place, prefix=".strongroom-") as private:
        made = Path(private, "made")
        made.mkdir(mode=0o700)
        for name, content in files.items():
            Path(made, name).touch(mode=0o600)
            Path(made, name).write_bytes(content.encode())
        if form == _DIRECTORY and place != output:
            made.replace(output)
        else:
            _move_all(files, made, place)


def _move_all(names: Iterable[str], source: Path, target: Path) -> None:
    with ExitStack() as undo:
        for name in names:
            Path(source, name).replace(target / name)
            undo.callback(Path(target, name).unlink)
        undo.pop_all()


# ---- The command line ----


def _take_token(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, list[Fault]]:
    """Read the token; the variable is erased where /proc/<pid>/environ would show it."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    if address := libc.getenv(_TOKEN_VARIABLE.encode()):
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
    file: Path | None = options.token_file or options.token_mount
    try:
        token = file.read_text().strip() if file else environ.get(_TOKEN_VARIABLE, "")
    except (OSError, ValueError):
        token = ""
    if not is_token(token):
        return "", [Fault(f"{file or _TOKEN_VARIABLE} holds no injection token (injt_…).")]
    if options.token_file and options.token_file.lstat().st_mode & 0o077:  # as every link's is
        return "", [Fault(f"--token-file: {file} is not of mode 0600 (or use --token-mount).")]
    if options.token_file and not is_removable(options.token_file):
        return "", [Fault(f"--token-file: {file} cannot be removed (or use --token-mount).")]
    return token, []


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong, but for the argument itself: it may be a credential."""
        text = re.split("['\"]|(?<=arguments): ", message)[0].rstrip(": ")
        raise Refused(Fault(f"{text} (--help tells what there is)."))


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
    parser.add_argument("--format", choices=[*_FORMATS, _DIRECTORY], help="files, not variables")
    parser.add_argument("--output", type=Path, metavar="PATH", help="where --format writes")
    parser.add_argument("--allow-disk", action="store_true", help="permit a directory on a disk")
    parser.add_argument("--allow-name", action="append", default=[], metavar="NAME")
    parser.add_argument("--override", action="store_true", help="replace variables already set")
    parser.add_argument("--allow-http", action="store_true", help="permit a server without TLS")
    parser.add_argument("--timeout", type=float, default=MAX_TIMEOUT_SECONDS, metavar="SECONDS")
    end = argv.index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:end])
    options.command = argv[end + 1 :]
    if bool(options.format) != bool(options.output) or not (options.command or options.format):
        parser.error("give a command after --, or --format with --output, or both")
    return options


def _start(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    base_url, inherited = environ.get("RUNLOOP_BASE_URL", ""), inherited_environment(environ)
    may = Allowed(options.allow_name, options.override)
    token, faults = _take_token(options, environ)
    faults += server_faults(base_url, allow_http=options.allow_http)
    if options.format:
        disk: bool = options.allow_disk
        faults += output_faults(options.format, options.output, allow_disk=disk)
    faults += command_faults(options.command, inherited) if options.command else []
    if faults:
        raise Refused(*faults)
    values = redeem(Client(base_url, token, options.timeout))
    if options.token_file:
        options.token_file.unlink()
    if options.format:
        if faults := name_faults(values, (), may) + format_faults(options.format, values):
            raise Refused(*faults)
        write(options.format, options.output, values)
        values = {}
    if options.command:
        execute(options.command, prepare(options.command, inherited, values, may))


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run ``strongroom redeem``; returns only if no command was started."""
    try:
        forbid_dumps()
        _start(_options(argv), environ)
    except Refused as refused:
        sys.stderr.write(f"strongroom redeem: {refused.message}\n")
        return refused.code
    except OSError as error:  # removing the token or writing the output
        sys.stderr.write(f"strongroom redeem: {error.filename}: {error.strerror}\n")
        return INVALID
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 - a traceback could show what was read
        kind = type(error).__name__
        sys.stderr.write(f"strongroom redeem: {kind}, which nobody expected\n")
        return INVALID
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
