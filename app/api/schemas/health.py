"""Schemas of the health routes."""

from app.api.schemas.base import Closed, truth, word

STATUSES = ("ok", "unavailable")


class HealthView(Closed):
    """The response of a process that answers."""

    status = word("Always ok.", STATUSES[:1])


class ReadinessView(Closed):
    """The readiness of a server."""

    status = word("Whether all of it answers.", STATUSES)
    database = truth("Whether the database answers, and took the last heartbeat.")
    provider = truth("Whether a key provider opens the system data key.")
