"""Redemptions in the log: one event each, refused or not."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.domain.errors import InjectionRefused
from app.domain.injections import BoundSecret

_LOG = logging.getLogger("strongroom.redemption")


@dataclass(slots=True)
class RedemptionEvent:
    """One redemption in the log.

    It names ids only: of rows that were verified, or of a token that is shaped like one of ours.

    Attributes:
        is_reuse: True if the token was used before, with another nonce or none.
        is_repeated: True if it is a retry with the nonce of the first time.
    """

    account_id: str | None = None
    injection_id: str | None = None
    api_key_id: str | None = None
    issuers: tuple[str, ...] = ()
    secrets: Sequence[BoundSecret] | None = None
    is_reuse: bool = False
    is_repeated: bool = False

    def write(self, level: int, name: str, **more: object) -> None:
        """Write it to the log."""
        secrets = self.secrets
        known = {
            "account_id": self.account_id,
            "injection_id": self.injection_id,
            "api_key_id": self.api_key_id,
            "secret_ids": None if secrets is None else [bound.secret_id for bound in secrets],
        }
        _LOG.log(level, name, extra=known | more)


@contextmanager
def log_redemption() -> Iterator[RedemptionEvent]:
    """Log the outcome of the redemption in the ``with`` block, with what the block notes."""
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
