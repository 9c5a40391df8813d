"""``strongroom serve``: the server and the agent gateway side by side, as ``make run`` starts them.

Two processes with nothing in common but a socket: the server decides, the gateway carries. Here one
terminal starts both. A signal to this process goes to both, and if either of them ends, the other
one is ended, too.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from types import FrameType

import click

from config import Settings, SettingsError, load, taken_port
from config.gateway_settings import GATEWAY_URL, MAX_SOCKET_PATH
from config.listening import TcpAddress

_SERVER = ("-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app")
_GATEWAY = ("-m", "gunicorn", "-c", "config/gateway.py", "app.gateway.main:make_application")
_PORT = "STRONGROOM_GATEWAY_PORT"
_BIND = "STRONGROOM_GATEWAY_BIND"
_SOCKET = "STRONGROOM_GATEWAY_SOCKET"
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
_ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGQUIT})
_TAKEN_SECONDS = 5.0  # a gateway that ends may yet let its port go
_PR_SET_PDEATHSIG = 1  # prctl(2)


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Start the server and, beside it, the agent gateway.

    Run it in the directory of wsgi.py. STRONGROOM_GATEWAY_URL is set to the gateway's address on
    this machine, unless you set it. If it is empty, the gateway is not started.
    """
    settings, environ = _with_url(context.obj)
    _require_free(settings)
    programs = [_SERVER] if settings.gateway_url is None else [_SERVER, _GATEWAY]
    with _with_socket(settings, environ) as environ:
        context.exit(_Running(programs, environ).wait())


def _with_url(environ: Mapping[str, str]) -> tuple[Settings, Mapping[str, str]]:
    """Set the URL of the gateway to its address on this machine, unless it is set already."""
    settings = load(environ)
    is_set = environ.keys() & {GATEWAY_URL, f"{GATEWAY_URL}_FILE"}
    local = [each for each in settings.gateway_bind if isinstance(each, TcpAddress)]
    if is_set or not local or not local[0].is_loopback:
        return settings, environ
    environ = {**environ, GATEWAY_URL: local[0].url}
    return load(environ), environ


@contextmanager
def _with_socket(settings: Settings, environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Put the admission socket elsewhere if the path of the home is too long for one."""
    if len(settings.gateway_socket.encode()) <= MAX_SOCKET_PATH:
        yield environ
        return
    with TemporaryDirectory(prefix="strongroom-") as directory:  # which nobody else may enter
        yield {**environ, _SOCKET: f"{directory}/admission.sock"}


def _require_free(settings: Settings) -> None:
    """Refuse a port of the gateway that stays taken.

    Raises:
        SettingsError: Names the setting, and the way out.
    """
    for each in () if settings.gateway_url is None else settings.gateway_bind:
        if isinstance(each, TcpAddress) and taken_port.stays_taken(
            each.host, each.port, seconds=_TAKEN_SECONDS
        ):
            setting = _PORT if each.port == settings.gateway_port else _BIND
            raise SettingsError([taken_port.fault(setting, str(each), each.port)])


class _Running:
    """The processes, each of which ends with the others."""

    def __init__(self, programs: Sequence[Sequence[str]], environ: Mapping[str, str]) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._asked: set[int] = set()
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        for program in programs:
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - our own programs
                    [sys.executable, *program],
                    env=dict(environ),
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - there are no threads here
                )
            )

    def wait(self) -> int:
        """Wait until one has ended, end the others, and return the exit code of the first.

        Python takes its handlers away while it ends, so a repeated signal can kill a process that
        was ending as asked. That is no failure.
        """
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        first = next(each for each in self._processes if ended and each.pid == ended.si_pid)
        for each in self._processes:
            if each is not first:
                each.send_signal(signal.SIGTERM)
        for each in self._processes:
            each.wait()
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_IGN)  # there is nothing to pass it on to
        if -first.returncode in self._asked:
            return 0
        return first.returncode if first.returncode >= 0 else 128 - first.returncode

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        if number in _ENDINGS:
            self._asked.add(number)
        for each in self._processes:
            if each.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, number)  # send_signal would take its end from wait()


def _end_with_parent() -> None:
    """Have the system end this process if the one that started it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
