"""The check of a deployment before it starts: reports all faults at once, without any value."""

from dataclasses import dataclass

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.errors import DomainError, NotInitialised
from app.domain.life import has_begun
from app.domain.operations.findings import Findings
from app.domain.operations.moves import MoveState
from app.repository.base import Database
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey
from backends.context import KeyContext
from backends.errors import KeyProviderConfigError, KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring, ListedProvider
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import prove_generating, prove_rewrapping, prove_unwrapping
from backends.provider import KeyProvider

NO_KEY = ClosedKey(KeyContext("check", "check", "check"), b"", ())


@dataclass(eq=False, repr=False)
class Checkup:
    """Looks at the database and the keyring as ``strongroom check`` does."""

    _database: Database
    _keyring: Keyring
    _system_key: SystemKey
    _clock: Clock

    def run(self) -> Findings:
        """Look at all of it."""
        findings = self._database.check()
        if findings.ok:
            self._look_at_move(findings)
        if not findings.ok:
            findings.include(look_at_providers(self._keyring))
            return findings
        findings.include(look_at_providers(self._keyring, self._closed_system_key()))
        if not self._keyring.faults:  # which may own what the others do not
            self._look_at_system_key(findings)
            self._look_at_orphans(findings)
        return findings

    def _look_at_move(self, findings: Findings) -> None:
        try:
            with self._database.reading() as repository:
                move = repository.deployment.get_move()
        except DomainError as error:
            findings.refuse(f"STRONGROOM_DATABASE_URL: {error.operator_message}")
            return
        if move is not None and move.is_closed:
            findings.refuse(
                "STRONGROOM_DATABASE_URL: this deployment was moved to another database; name that."
            )
        elif move is MoveState.RECEIVING:
            findings.refuse(
                "STRONGROOM_DATABASE_URL: this database is an unfinished copy; "
                "run again: strongroom db copy"
            )

    def _closed_system_key(self) -> ClosedKey:
        """Its rows as they stand; what is wrong with them is reported when it is opened."""
        try:
            with self._database.reading() as repository:
                deployment_id = repository.deployment.get_id()
                stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        except DomainError:
            return NO_KEY
        if deployment_id is None or stored is None:
            return NO_KEY
        return stored.closed(deployment_id)

    def _look_at_system_key(self, findings: Findings) -> None:
        try:
            opened = self._system_key.opened()
        except (NotInitialised, KeyProviderConfigError) as error:
            findings.refuse(str(error))
        except (DomainError, KeyProviderError) as error:
            findings.refuse(f"STRONGROOM_KEYS: the system data key does not open: {error}")
        else:
            findings.saw("system data key", f"{opened.context.data_key_id}, opened")
            findings.saw("system key fingerprint", opened.fingerprint.text)
            self._look_at_clock(findings)

    def _look_at_clock(self, findings: Findings) -> None:
        """Warn of a clock that is behind: what was made since then is refused until it catches up.

        The system data key was made first of all, so nothing can be older.
        """
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        if stored and not has_begun(stored.record.unverified.created_at_ms, self._clock()):
            findings.warn(
                "This machine's clock is behind: the deployment was made later. Set it; until then"
                " API keys that expire and injections are refused."
            )

    def _look_at_orphans(self, findings: Findings) -> None:
        try:
            with self._database.reading() as repository:
                refs = [ref for ref in repository.wrappings.counts() if self._keyring.owns(ref)]
                orphans = repository.data_keys.count_without(refs)
        except DomainError as error:
            findings.refuse(f"STRONGROOM_DATABASE_URL: {error}")
            return
        if orphans:
            findings.refuse(f"STRONGROOM_KEYS: no listed provider could open {orphans} data keys.")


def look_at_providers(
    keyring: Keyring, system_key: ClosedKey = NO_KEY, unmade: str | None = None
) -> Findings:
    """Have each provider do its part.

    What it refuses is a fault; being out of reach is one only if no other provider can unwrap.

    Args:
        keyring: The providers, or what stands for those that could not be built.
        system_key: The rows of the system data key, for those that made a wrapping of it.
        unmade: The entry whose root key is made later, which is left out.
    """
    findings, unreachable = Findings(), []
    can_unwrap = unmade is not None
    for listed in keyring.listed:
        if listed.setting == unmade:
            continue
        try:
            key_ref = _prove(listed, system_key)
        except KeyUnavailable as error:
            unreachable.append(listed.says(str(error)))
        except KeyProviderError as error:
            findings.refuse(listed.says(str(error)))
        else:
            findings.saw(listed.setting, f"{key_ref}, {listed.role}")
            can_unwrap = can_unwrap or listed.role != "escrow"
    if can_unwrap:
        findings.warnings += unreachable
    else:
        findings.faults[:0] = unreachable
    return findings


def _prove(listed: ListedProvider, system_key: ClosedKey) -> str | None:
    """Have a provider open its wrapping of the system key, and wrap in each way that is its part.

    One that only unwraps and has no wrapping of it yet makes one of another key, to open that.

    Returns:
        The key_ref that its new wrappings get.
    """
    provider, context = listed.provider, system_key.context
    status = provider.status()  # first: some know what they own only once they were asked
    own = system_key.owned_by(provider)
    if isinstance(provider, KeyProvider):
        if own:
            prove_unwrapping(provider, own[0], context, system_key.check)
        if listed.role == "wraps" or (listed.role == "unwraps" and not own):
            prove_generating(provider, context)
    if listed.role != "unwraps":
        prove_rewrapping(provider, context)
    if not status.healthy:
        raise KeyProviderError(status.detail)
    return status.key_ref
