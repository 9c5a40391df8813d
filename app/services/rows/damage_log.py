"""The log of damaged rows, for an operator. A caller refused because of one learns nothing."""

import logging

from app.domain.errors import TamperedRow

_LOG = logging.getLogger("strongroom.damage")


def log_damage(error: TamperedRow) -> None:
    """Log which row is damaged, by table and id."""
    _LOG.warning("row_damaged", extra={"detail": str(error.row)})
