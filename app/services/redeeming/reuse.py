"""Reuse of an injection's token: recorded at once, and then once a minute for each injection."""

import logging
from dataclasses import dataclass

from app.domain.audit.actions import Action, Outcome
from app.domain.audit.actors import NamedActor
from app.domain.errors import DomainError
from app.repository.base import Database
from app.services.audit.trail import AuditTrail
from app.services.keys.pauses import Pauses
from app.services.redeeming.request import RedemptionRequest

PAUSE_MS = 60_000

_LOG = logging.getLogger("strongroom.redemption")


@dataclass(eq=False, repr=False)
class Reuses:
    """Records the reuse of tokens that were proved to be true."""

    _database: Database
    _trail: AuditTrail
    _pauses: Pauses

    def record(self, request: RedemptionRequest) -> None:
        """Record that a used token came again, unless that was recorded within the last minute.

        It is refused either way, so a failure is logged only.
        """
        token, event = request.token, request.event
        if self._pauses.lasts(token.row_id):
            return
        self._pauses.begin(token.row_id)
        try:
            with self._database.writing() as work:
                self._trail.commit(
                    work,
                    request.system_key,
                    Action.INJECTION_REUSED,
                    token.row_id,
                    account_id=token.account_id,
                    by=NamedActor(
                        event.api_key_id or "", event.issuers, request.address, request.request_id
                    ),
                    outcome=Outcome.REFUSED,
                )
        except DomainError as error:
            _LOG.error("reuse_not_recorded", extra={"detail": error.operator_message})
