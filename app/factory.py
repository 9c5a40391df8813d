"""Makes the WSGI application of a worker."""

from collections.abc import Callable
from functools import partial

from app import bootstrap
from app.server.admission_listener import AdmissionListener, gateway_users
from app.server.application import Application
from app.server.lazy_connection import LazyConnection
from app.server.proxies import BehindProxies
from app.services.container import Services
from config import Settings
from config.listening import UnixSocket


def create_app(
    settings: Settings, build: Callable[[Settings], Services] = bootstrap.build
) -> Application:
    """Make the application of one process, whatever state its providers and database are in.

    Args:
        build: Builds the services.
    """
    connection = LazyConnection(partial(build, settings))
    connection.warm_up()
    app = Application(connection, connection.close)
    if settings.trusted_proxies:
        app.wsgi_app = BehindProxies(  # type: ignore[method-assign]
            app.wsgi_app,
            settings.trusted_proxies,
            only_over_unix=any(isinstance(each, UnixSocket) for each in settings.bind),
        )
    if settings.gateway_url is not None:
        app.wsgi_app = AdmissionListener(  # type: ignore[method-assign]
            app.wsgi_app, settings.gateway_socket, gateway_users(settings)
        )
    return app
