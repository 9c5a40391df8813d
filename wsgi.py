"""The application that gunicorn imports in each worker. It reads the environment here."""

import os
from pathlib import Path

from app.client.redeem import forbid_dumps
from app.factory import create_app
from app.observability.metrics.directory import VARIABLE
from config import in_force

forbid_dumps()  # here too: a worker that changed its user may leave cores again
_settings = in_force.load(os.environ)
if _settings.metrics_bind is None:
    app = create_app(_settings)
else:
    from app.factory_with_metrics import create_app_with_metrics

    app = create_app_with_metrics(_settings, _settings.metrics_bind, Path(os.environ[VARIABLE]))
