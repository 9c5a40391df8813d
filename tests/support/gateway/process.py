"""The gateway as it is started: gunicorn, with its configuration and workers of its own."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway.api import KEY, api
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import recorder
from tests.support.gateway.rig import Rig
from tests.support.ports import free_port
from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[3]
_GUNICORN = ("gunicorn", "-c", "config/gateway.py", "app.gateway.main:make_application")
_SECONDS = 60.0


@dataclass
class Process:
    """A running gateway between its neighbours.

    Attributes:
        log: What it has written.
    """

    rig: Rig
    popen: "subprocess.Popen[bytes]"
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to gunicorn's master."""
        self.popen.send_signal(number)

    def workers(self) -> set[int]:
        """The process ids of its workers."""
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return set(map(int, children.read_text().split()))


@contextmanager
def gateway_process(
    directory: Path,
    *,
    workers: int = 1,
    tls: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[Process]:
    """Start a gateway, the stand-in for the API, and the upstream that records."""
    port = free_port()
    key = directory / "gateway.key"
    key.write_text(KEY)
    key.chmod(0o600)
    log = directory / "gateway.log"
    given = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of a program of its own
        "STRONGROOM_HOME": str(directory),
        "STRONGROOM_GATEWAY_URL": f"http://127.0.0.1:{port}",
        "STRONGROOM_GATEWAY_PORT": str(port),
        "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
        "STRONGROOM_GATEWAY_WORKERS": str(workers),
        **environment,
    }
    with (
        LoopThread() as thread,
        thread.entered(recorder(tls)) as upstream,
        thread.entered(api(directory)) as admissions,
        log.open("wb") as stream,
    ):
        admissions.admit_to(upstream.port, scheme="http" if tls is None else "https")
        running = Rig(thread, admissions, upstream, port)
        popen = subprocess.Popen(
            [sys.executable, "-m", *_GUNICORN],
            cwd=_ROOT,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        try:
            wait_until(lambda: popen.poll() is not None or _serves(running))
            assert popen.poll() is None, log.read_text()
            yield Process(running, popen, log)
        finally:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait(_SECONDS)


def _serves(running: Rig) -> bool:
    try:
        return running.call(token=None).status == 401
    except OSError:
        return False
