"""The log of damaged rows, for an operator: who is refused because of one is told nothing of it."""

import logging

from app.domain.errors import TamperedRow

_LOG = logging.getLogger("strongroom.damage")


def log_damage(error: TamperedRow) -> None:
    """Log which row is damaged, by table and id."""
    _LOG.warning("row_damaged", extra={"detail": str(error.row)})
