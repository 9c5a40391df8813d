"""Gateway uses: requests that run are looked at again, and those that ended are completed."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.errors import TamperedRow
from app.domain.gateways.admissions import UseEnd
from app.domain.gateways.refusals import AdmissionRefused, TokenRefused
from app.domain.gateways.uses import GatewayUse
from app.domain.ids import ACCOUNT, GATEWAY_USE, is_id
from app.repository.base import Database, Repository
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.gateways.credentials import read_credential
from app.services.gateways.grants import Grants
from app.services.gateways.switch import require_started
from app.services.keys.system_key import SystemKey
from app.services.rows.damage_log import log_damage

_BETWEEN = "."
_BATCH = 100  # of ends in one transaction

_LOG = logging.getLogger("strongroom.gateway")


def handle_of(use: GatewayUse) -> str:
    """Return the name by which a gateway knows a use: its id, and its account's."""
    return f"{use.id}{_BETWEEN}{use.account_id}"


def _named(handle: str) -> tuple[str, str] | None:
    """Return the account and the id of a use, or ``None`` if this is no handle."""
    use_id, _, account_id = handle.partition(_BETWEEN)
    is_handle = is_id(use_id, GATEWAY_USE) and is_id(account_id, ACCOUNT)
    return (account_id, use_id) if is_handle else None


@dataclass(eq=False, repr=False)
class GatewayUses:
    """The uses that gateways ask about."""

    _database: Database
    _system_key: SystemKey
    _grants: Grants
    _trail: AuditTrail

    def recheck(self, handles: Sequence[str]) -> list[tuple[str, str]]:
        """Look at running requests as at new ones; rules and limits do not count again.

        Returns:
            The handle and the error code of each that must end now.

        Raises:
            StorageUnavailable: Nothing could be decided.
        """
        opened = self._system_key.opened()
        decided: dict[tuple[str, str, str | None], str | None] = {}
        ended: list[tuple[str, str]] = []
        with self._database.reading() as repository:
            for handle in handles:
                code = self._code(repository, opened, handle, decided)
                if code is not None:
                    ended.append((handle, code))
        return ended

    def _code(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        handle: str,
        decided: dict[tuple[str, str, str | None], str | None],
    ) -> str | None:
        """Return the code of the refusal of a use, ``None`` if it may go on.

        Args:
            decided: The codes of the tokens and addresses that were looked at in this call.
        """
        name = _named(handle)
        use = None if name is None else _find(repository, opened, name)
        if use is None:
            return TokenRefused.code
        asked = (use.account_id, use.token_id, use.address)
        if asked not in decided:
            decided[asked] = self._refusal(repository, opened, use)
        return decided[asked]

    def _refusal(
        self, repository: Repository, opened: OpenedSystemKey, use: GatewayUse
    ) -> str | None:
        try:
            require_started(repository)
            name = (use.account_id, use.token_id)
            grant = self._grants.find(repository, opened, name, use.address)
            read_credential(repository, grant)
        except AdmissionRefused as refusal:
            return refusal.code
        except TamperedRow as error:
            log_damage(error)
            return TokenRefused.code
        return None

    def end(self, ends: Iterable[UseEnd]) -> None:
        """Complete the rows of requests that ended; a row that is complete or gone stays so."""
        named = {name: each for each in ends if (name := _named(each.use)) is not None}
        opened = self._system_key.opened()
        in_order = sorted(named)  # so that two calls never wait for each other's locks
        for start in range(0, len(in_order), _BATCH):
            with self._database.writing() as work:
                for name in in_order[start : start + _BATCH]:
                    _complete(work, opened, name, named[name])
                self._trail.commit_unrecorded(work, Unrecorded.END_OF_USE)


def _find(
    repository: Repository, opened: OpenedSystemKey, name: tuple[str, str]
) -> GatewayUse | None:
    """Return the verified use, or ``None`` if there is none or its row was edited."""
    try:
        stored = repository.gateway_uses.get(*name)
        use = None if stored is None else opened.verify(stored)
    except TamperedRow as error:
        log_damage(error)
        return None
    return use if use is not None and (use.account_id, use.id) == name else None


def _complete(
    work: Repository, opened: OpenedSystemKey, name: tuple[str, str], end: UseEnd
) -> None:
    use = _find(work, opened, name)
    if use is None or use.status is not None:
        return
    completed = replace(
        use,
        status=end.status,
        bytes_in=end.bytes_in,
        bytes_out=end.bytes_out,
        milliseconds=end.milliseconds,
        scrub_hits=end.scrub_hits,
    )
    work.gateway_uses.replace(opened.guard(completed))
    if end.scrub_hits:
        about = {"account_id": use.account_id, "gateway_use_id": use.id}
        ids = {"gateway_token_id": use.token_id, "gateway_config_id": use.config_id}
        _LOG.warning("gateway_secret_reflected", extra=about | ids)
