"""``/healthz``: the process answers. ``/readyz``: the server can serve."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, current_app

from app.api.http.context import SERVICES
from app.api.http.endpoint import Description, open_to_all
from app.api.schemas.health import HealthView, ReadinessView
from app.services.container import Services

# Each view declares itself in full, also where two are alike: all of it is found in one place.
health = Blueprint("health", __name__)


@health.get("/healthz")
@open_to_all(
    Description(
        id="health",
        tag="health",
        responses={200: (HealthView, "It does.")},
    )
)
def show_health() -> dict[str, Any]:
    """Report that the process answers."""
    return {"status": "ok"}


@health.get("/readyz")
@open_to_all(
    Description(
        id="readiness",
        tag="health",
        responses={
            200: (ReadinessView, "It can."),
            503: (ReadinessView, "The database takes no write, or no key provider opens the keys."),
        },
    )
)
def show_readiness() -> tuple[dict[str, Any], int]:
    """Report the readiness of the server."""
    services: Callable[[], Services] = current_app.extensions[SERVICES]
    report = services().readiness.report()
    shown = {
        "status": "ok" if report.ready else "unavailable",
        "database": report.database,
        "provider": report.provider,
    }
    return shown, 200 if report.ready else 503
