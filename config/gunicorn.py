"""The gunicorn configuration: ``gunicorn -c config/gunicorn.py wsgi:app``.

It listens on loopback, where HTTP/2 in the clear serves the JavaScript client, and on Unix sockets,
where nginx in front asks for everybody else. The environment is read here because the master needs
it before any worker.
"""

import gc
import os

from app.client.redeem import forbid_dumps
from app.observability.standard_streams import keep_standard_streams
from config import host, in_force

# No process of the server leaves its memory, with keys and values in it, in a core file.
forbid_dumps(for_good=True)
keep_standard_streams()

_settings = in_force.load(os.environ)
host.raise_limits()

bind = [str(each) for each in _settings.bind]
umask = 0o117  # a Unix socket is for its owner and group: who reaches it may say who a client is
worker_class = "app.server.worker.Worker"
worker_tmp_dir = host.directory_of_workers(_settings.home)
workers = _settings.workers
threads = _settings.threads
http_protocols = "h1"  # and HTTP/2 on loopback, which is our worker's own
sendfile = False  # it would wait for a client without the worker's bounds
worker_connections = host.CONNECTIONS_OF_A_WORKER
keepalive = 75
timeout = 60
graceful_timeout = 30
limit_request_line = 8190
limit_request_fields = 64
forwarder_headers = ""  # no header of a client becomes SCRIPT_NAME or PATH_INFO
forwarded_allow_ips = "127.0.0.1,::1"  # else the environment's FORWARDED_ALLOW_IPS would hold
control_socket_disable = True
logger_class = "app.server.gunicorn_log.GunicornLog"
accesslog = None
loglevel = _settings.log_level.lower()


def post_worker_init(worker: object) -> None:  # noqa: ARG001 - gunicorn's hook
    """Collect garbage for the application's own objects once, and for those of requests seldom.

    With Python's thresholds it took 8 % of the processor time of a redemption of 50 secrets.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
