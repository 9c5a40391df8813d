"""What the two health routes say."""

from app.api.schemas.base import Closed, truth, word

STATUSES = ("ok", "unavailable")


class HealthView(Closed):
    """Whether the process answers."""

    status = word("Always ok.", STATUSES[:1])


class ReadinessView(Closed):
    """True if the server can serve."""

    status = word("Whether all of it answers.", STATUSES)
    database = truth("Whether the database answers, and took the last heartbeat.")
    provider = truth("Whether a key provider opens the system data key.")
