"""Makes the WSGI application of a worker whose metrics somebody reads.

Imported only where that is so: the library reads its directory when it is imported, and a server
without metrics need not load it.
"""

from functools import partial
from pathlib import Path

from app import bootstrap
from app.factory import create_app
from app.observability.metrics.events import count_events
from app.observability.metrics.files import text_of
from app.server.application import Application
from app.server.metrics import PUBLISH_SECONDS, DeploymentMetrics, ProcessMetrics
from app.server.metrics_listener import MetricsListener
from app.services.container import Services
from config import Settings
from config.listening import Address


def create_app_with_metrics(settings: Settings, address: Address, directory: Path) -> Application:
    """Make the application of one process.

    Args:
        address: The listener for metrics.
        directory: All workers count in its files.
    """
    count_events()
    app = create_app(settings, _build)
    metrics = partial(text_of, directory, DeploymentMetrics(app.services))
    app.wsgi_app = MetricsListener(  # type: ignore[method-assign]
        app.wsgi_app, address, metrics
    )
    return app


def _build(settings: Settings) -> Services:
    services = bootstrap.build(settings)
    process = ProcessMetrics(services.measurements)
    services.tasks.add("metrics", PUBLISH_SECONDS, process.publish)
    return services
