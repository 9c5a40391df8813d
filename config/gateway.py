"""The gunicorn configuration of the gateway's process; ``strongroom gateway`` starts it.

It listens on loopback, and on Unix sockets for nginx in front.
"""

import os

from app.client.redeem import forbid_dumps
from app.observability.standard_streams import keep_standard_streams
from config import host, in_force

# A core file of a process would hold credentials and bodies.
forbid_dumps(for_good=True)
keep_standard_streams()

_settings = in_force.load(os.environ)
host.raise_limits()

bind = [str(each) for each in _settings.gateway_bind]
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
