"""The gunicorn configuration: ``gunicorn -c config/gunicorn.py wsgi:app``.

It listens on loopback, where the JavaScript client uses HTTP/2 in clear text, and on Unix sockets
for nginx in front. The environment is read here because the master needs it before any worker.
"""

import gc
import logging
import os
import sys
from typing import Any

from app.client.redeem import forbid_dumps
from app.observability.metrics.directory import VARIABLE, metrics_directory
from app.observability.standard_streams import keep_standard_streams
from config import gateway_settings, host, in_force, taken_port
from config.listening import TcpAddress

_TAKEN_SECONDS = 5.0  # a server that ends may yet let its port go

# A core file of a process would hold its keys and values.
forbid_dumps(for_good=True)
keep_standard_streams()

_settings = in_force.load(os.environ)
host.raise_limits()

bind = [str(each) for each in _settings.bind]
if _settings.gateway_url is not None:
    bind.append(f"unix:{_settings.gateway_socket}")
if _settings.metrics_bind is not None:
    bind.append(str(_settings.metrics_bind))
    os.environ[VARIABLE] = str(
        metrics_directory.made(host.directory_of_workers(_settings.home) or _settings.home)
    )
umask = 0o117  # a Unix socket is for its owner and group: its clients are trusted proxies
worker_class = "app.server.worker.Worker"
worker_tmp_dir = host.directory_of_workers(_settings.home)
workers = _settings.workers
threads = _settings.threads
http_protocols = "h1"  # HTTP/2 on loopback is added by our worker
sendfile = False  # it would bypass the worker's time limits
worker_connections = host.CONNECTIONS_OF_A_WORKER
keepalive = 75
timeout = 60
graceful_timeout = 30
limit_request_line = 8190
limit_request_fields = 64
forwarder_headers = ""  # no header of a client becomes SCRIPT_NAME or PATH_INFO
forwarded_allow_ips = "127.0.0.1,::1"  # otherwise gunicorn reads FORWARDED_ALLOW_IPS
control_socket_disable = True
logger_class = "app.server.gunicorn_log.GunicornLog"
accesslog = None
loglevel = _settings.log_level.lower()


def on_starting(_server: object) -> None:
    """End with one sentence if a port stays taken, where gunicorn would log five failures."""
    if os.environ.keys() & {"GUNICORN_PID", "LISTEN_FDS"}:  # then sockets are handed over
        return
    for each in _settings.bind:
        if isinstance(each, TcpAddress) and taken_port.stays_taken(
            each.host, each.port, seconds=_TAKEN_SECONDS
        ):
            taken = taken_port.fault(_settings.bind_setting, str(each), each.port)
            logging.getLogger("strongroom.settings").error("port_taken", extra={"detail": taken})
            sys.exit(1)


def when_ready(_server: object) -> None:
    """Let the gateway's user reach the admission socket."""
    _hand_over_socket()


def on_reload(_server: object) -> None:
    """Do the same for a socket that was made again."""
    _hand_over_socket()


def _hand_over_socket() -> None:
    """Give the admission socket to the group of the gateway's user, which ours must be in."""
    account = gateway_settings.gateway_account(_settings)
    if _settings.gateway_url is None or account is None or account.group is None:
        return
    try:
        os.chown(_settings.gateway_socket, -1, account.group)
    except OSError as error:
        about = {"detail": f"STRONGROOM_GATEWAY_USER: {type(error).__name__}"}
        logging.getLogger("strongroom.settings").warning("admission_socket_kept", extra=about)


def child_exit(server: Any, _worker: object) -> None:  # noqa: ANN401 - gunicorn has no types
    """Keep the counts of a worker that ended, which is not among the server's any more."""
    metrics_directory.keep_counts(server.WORKERS.keys())


def on_exit(_server: object) -> None:
    """Remove what only this server counts in."""
    metrics_directory.remove()


def post_worker_init(worker: object) -> None:  # noqa: ARG001 - gunicorn's hook
    """Exempt the application's own objects from garbage collection, and collect less often.

    With Python's thresholds, collecting took 8 % of the time of a redemption of 50 secrets.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
