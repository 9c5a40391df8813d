"""The gunicorn configuration of the gateway's process; ``strongroom gateway`` starts it.

It listens on loopback, and on Unix sockets for nginx in front.
"""

import os
from typing import Any

from app.client.redeem import forbid_dumps
from app.observability.metrics.directory import VARIABLE, metrics_directory
from app.observability.standard_streams import keep_standard_streams
from config import host, in_force

# A core file of a process would hold credentials and bodies.
forbid_dumps(for_good=True)
keep_standard_streams()

_settings = in_force.load(os.environ)
host.raise_limits()

bind = [str(each) for each in _settings.gateway_bind]
if _settings.gateway_metrics_bind is not None:
    bind.append(str(_settings.gateway_metrics_bind))
    os.environ[VARIABLE] = str(
        metrics_directory.made(host.directory_of_workers(_settings.home) or _settings.home)
    )
umask = 0o117  # a Unix socket is for its owner and group: its clients are trusted proxies
worker_class = "app.gateway.worker.Worker"
worker_tmp_dir = host.directory_of_workers(_settings.home)
workers = _settings.gateway_workers
timeout = 60
graceful_timeout = 120  # streams go on for so long; those that are longer are cut off
forwarder_headers = ""
control_socket_disable = True
logger_class = "app.server.gunicorn_log.GunicornLog"
accesslog = None
loglevel = _settings.log_level.lower()


def child_exit(server: Any, _worker: object) -> None:  # noqa: ANN401 - gunicorn has no types
    """Keep the counts of a worker that ended, which is not among the server's any more."""
    metrics_directory.keep_counts(server.WORKERS.keys())


def on_exit(_server: object) -> None:
    """Remove what only this server counts in."""
    metrics_directory.remove()
