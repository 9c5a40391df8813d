"""The log of redemptions: one event for each, refused or not.

It holds ids only: of rows that were verified, or of a token that is shaped like one of ours.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.domain.errors import InjectionRefused

_LOG = logging.getLogger("strongroom.redemption")


@dataclass(slots=True)
class RedemptionEvent:
    """One redemption, as far as it is known by now.

    Attributes:
        is_reuse: Whether the token was used before, and not by the same try.
        is_repeated: Whether it is the same try again, after its answer was lost.
    """

    account_id: str | None = None
    injection_id: str | None = None
    api_key_id: str | None = None
    secret_ids: Sequence[str] | None = None
    is_reuse: bool = False
    is_repeated: bool = False

    def write(self, level: int, name: str, **more: object) -> None:
        """Write it to the log."""
        known = {
            "account_id": self.account_id,
            "injection_id": self.injection_id,
            "api_key_id": self.api_key_id,
            "secret_ids": self.secret_ids,
        }
        _LOG.log(level, name, extra=known | more)


@contextmanager
def redemption_event() -> Iterator[RedemptionEvent]:
    """Log what becomes of the redemption in the ``with`` block."""
    event = RedemptionEvent()
    try:
        yield event
    except InjectionRefused:
        event.write(logging.WARNING, "injection_reused" if event.is_reuse else "injection_refused")
        raise
    except Exception as error:
        event.write(logging.WARNING, "injection_failed", exception=type(error).__name__)
        raise
    event.write(logging.INFO, "injection_repeated" if event.is_repeated else "injection_redeemed")
