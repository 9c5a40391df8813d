"""gunicorn's log, in our format."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from app.observability.logs import configure, encoder, json_line
from config import in_force


class GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sets up logging in the master, before it forks, and again when it reloads."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Replace gunicorn's handlers with ours; it keeps no access log."""
        super().setup(cfg)
        settings = in_force.settings
        encode = (
            encoder(settings.log_format, colour=settings.wants_colour) if settings else json_line
        )
        configure(cfg.loglevel.upper(), encode)
        logging.captureWarnings(
            capture=True
        )  # on standard error they would wait for a stalled reader
