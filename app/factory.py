"""The WSGI application: HTTP on top of the services."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from flask import Flask

from app import bootstrap
from app.api.api_keys import api_keys
from app.api.documentation import documentation, prepare
from app.api.health import health
from app.api.http import context as current
from app.api.http.admission import Admission
from app.api.http.endpoint import operations_of
from app.api.http.errors import answer_error
from app.api.http.request_body import READ_LIMIT_BYTES
from app.api.http.request_log import log_failure, log_request
from app.api.http.responses import secure
from app.api.injections import injections
from app.api.secrets import secrets
from app.domain.errors import DomainError
from app.repository.base import DatabaseMisconfigured
from app.server.encoded_slashes import EncodedSlashes
from app.server.proxies import BehindProxies
from app.services.container import Services
from app.services.errors import KeyProviderError
from backends.calls.request_deadline import request_deadline
from config import Settings
from config.listening import UnixSocket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_SECONDS = 8.0
WARM_UP_SECONDS = 1.0

_BLUEPRINTS = (secrets, api_keys, injections, health, documentation)
_FORESEEN = (DatabaseMisconfigured, KeyProviderError, DomainError)


def create_app(settings: Settings) -> "Application":
    """The application of one process, whatever state its providers and database are in."""
    connection = Connection(lambda: bootstrap.build(settings))
    with suppress(current.NotConnected):
        _warm_up(connection())
    app = serve(connection, connection.close)
    if settings.trusted_proxies:
        app.wsgi_app = BehindProxies(  # type: ignore[method-assign]
            app.wsgi_app,
            settings.trusted_proxies,
            only_over_unix=any(isinstance(each, UnixSocket) for each in settings.bind),
        )
    return app


def _warm_up(services: Services) -> None:
    """Open the system key before the first requests need it, but wait for a second at most."""
    opening = threading.Thread(target=_open_system_key, args=(services,), daemon=True)
    opening.start()
    opening.join(WARM_UP_SECONDS)


def _open_system_key(services: Services) -> None:
    """Open it, or leave it to the requests, which will try again."""
    try:
        services.readiness.report()
    except Exception as error:  # noqa: BLE001 - a thread would print what it holds
        log_failure(error, None, foreseen=False)


def serve(
    services: Callable[[], Services], close: Callable[[], None] = lambda: None
) -> "Application":
    """The application in front of services that already are, or are still to be, connected.

    Args:
        close: Closes them.
    """
    app = Application(close)
    app.config.update(
        MAX_CONTENT_LENGTH=READ_LIMIT_BYTES,
        PROVIDE_AUTOMATIC_OPTIONS=False,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.extensions[current.SERVICES] = services
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    operations = operations_of(app.view_functions)
    app.before_request(Admission(operations))
    app.register_error_handler(Exception, answer_error)
    app.after_request(log_request)
    app.after_request(secure)
    prepare(app, operations)
    app.wsgi_app = _WithinDeadline(EncodedSlashes(app.wsgi_app))  # type: ignore[method-assign]
    return app


class _WithinDeadline:
    """Gives all provider calls of one request 8 seconds in all: the clients give up at 30."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        with request_deadline(REQUEST_SECONDS):
            return self._application(environ, start_response)


class Connection:
    """The services of one process, connected by the first call that can.

    Args:
        build: Connects them; raises when it cannot.
    """

    def __init__(self, build: Callable[[], Services]) -> None:
        self._build = build
        self._services: Services | None = None
        self._is_closed = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> Services:
        """The services.

        Raises:
            NotConnected: Now they cannot be connected; the log says why.
        """
        if self._services is None:
            self._connect()
        if self._services is None:
            raise current.NotConnected
        return self._services

    def close(self) -> None:
        """Close the services, and connect no others."""
        self._is_closed.set()
        if self._services is not None:
            self._services.close()

    def _connect(self) -> None:
        """Try, unless another call does: none waits behind what may be slow."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._services is None and not self._is_closed.is_set():
                services = self._build()
                services.tasks.start()
                self._services = services
                if self._is_closed.is_set():  # while it was built
                    services.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stays
            log_failure(error, None, foreseen=isinstance(error, _FORESEEN))
        finally:
            self._lock.release()


class Application(Flask):
    """Flask, but for what it logs of an exception: it would print what was sent.

    Args:
        close: Closes what the application uses, when its process ends.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__("strongroom", static_folder=None)
        self.close = close

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log its class and frames."""
        if exc_info[1] is not None:
            log_failure(exc_info[1], current.exchange().request_id, foreseen=False)
