"""The offline half of escrow: make a recovery key, and bring everything back with it.

The fingerprint of the system data key is filed with the private key when that is made. Recovery
begins with it and then verifies every MAC, so a database in which somebody planted a system key, or
any row under it, is refused before a single row is written. What has ended is not looked at. Rows
are read in batches, once to verify all of them and once more to wrap data keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.damage import DamagedRow
from app.domain.errors import NotInitialised, RecoveryRefused
from app.repository.base import Database
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.keys.failure_reasons import FailureReason
from app.services.keys.sweep import batches
from app.services.keys.system_key import SystemKey
from app.services.rotation.progress import NAMED_ROWS, Progress, RateLimiter, Report
from app.services.rotation.recovered_keys import Restoring, unwrap_recovered
from app.services.rows.damaged_rows import damaged_rows
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring
from backends.recovery.files import PrivateKeyFile, public_key_text
from backends.recovery.keys import RecoveryPrivateKey

_HOW_TO_SKIP = "To recover all others and leave these as they are, run it with --skip-damaged."


@dataclass(frozen=True, slots=True)
class RecoveryKeyTexts:
    """The two files of a recovery key pair. The private one is kept offline.

    Attributes:
        private: Holds the private key and the fingerprint of the system data key.
        public: What ``STRONGROOM_ESCROW_KEYS`` names.
    """

    private: PrivateKeyFile
    public: str


@dataclass(eq=False, repr=False)
class Recovery:
    """Makes recovery keys, and recovers with one."""

    _database: Database
    _keyring: Keyring
    _system_key: SystemKey
    _clock: Clock
    _trail: AuditTrail

    def make_key(self) -> RecoveryKeyTexts:
        """A new pair for this deployment.

        Raises:
            KeyProviderError: The system data key, whose fingerprint is filed, cannot be opened.
        """
        opened = self._system_key.opened()
        key = RecoveryPrivateKey.generate()
        private = PrivateKeyFile(key, opened.fingerprint)
        return RecoveryKeyTexts(private, public_key_text(key.public_key))

    def run(
        self,
        private: PrivateKeyFile,
        report: Report,
        *,
        rate: float | None = None,
        dry_run: bool = False,
        skip_damaged: bool = False,
    ) -> Progress:
        """Wrap every data key for the present keyring; recovered keys open and no longer seal.

        What has all its wrappings already, and they open, stays as it is: a recovery that was
        killed, or that could not do all, is run again.

        Args:
            private: The private half, with the fingerprint that was filed.
            report: Called after each batch.
            rate: Data keys to open a second at most; ``None`` for no bound.
            dry_run: Only verify everything, open it, and count.
            skip_damaged: Leave damaged rows as they are, but for those of the system data key. They
                grant nothing; a damaged data key counts as failed.

        Raises:
            RecoveryRefused: The database holds another system data key, or a damaged row. Nothing
                was written.
            KeyUnavailable: The first provider or an escrow key cannot tell its current key_ref.
            KeyProviderConfigError: The root key that new wrappings would be made by was retired.
        """
        opened = self._open_system_key(private)
        damaged = self._damaged_rows(opened, skip=skip_damaged)
        restoring = Restoring(self._database, self._keyring, opened, private.key, self._trail)
        with self._database.reading() as repository:
            limiter = RateLimiter(repository.data_keys.count(), rate, report)
        limiter.note(damaged)
        for batch in batches(self._database, opened, limit=limiter.limit):
            limiter.wait(len(batch.keys))
            changed, reasons = restoring.restore(batch.keys, dry_run=dry_run)
            reasons[FailureReason.ROW_EDITED] += len(batch.damaged)
            limiter.step(done=batch.size, changed=changed, reasons=reasons, damaged=batch.damaged)
        return limiter.progress()

    def _open_system_key(self, private: PrivateKeyFile) -> OpenedSystemKey:
        with self._database.reading() as repository:
            deployment_id = repository.deployment.get_id()
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        filed = private.system_key
        if deployment_id is None or stored is None:
            raise NotInitialised
        closed = stored.closed(deployment_id)
        if filed is None or filed.context != closed.context:
            raise RecoveryRefused("The recovery key was made for another system data key.")
        try:
            key = unwrap_recovered(private.key, replace(closed, check=filed.check))
        except KeyProviderError:
            raise RecoveryRefused(
                "The system data key does not open with this recovery key."
            ) from None
        return OpenedSystemKey(closed.context, key)

    def _damaged_rows(self, opened: OpenedSystemKey, *, skip: bool) -> list[DamagedRow]:
        """The first damaged rows, if they may be skipped."""
        found = damaged_rows(self._database, opened, self._clock())
        damaged = [*islice(found, NAMED_ROWS)]
        if any(row.account_id == SYSTEM_ACCOUNT_ID for row in chain(damaged, found)):
            raise _refused(damaged, "")
        if damaged and not skip:
            raise _refused(damaged, _HOW_TO_SKIP)
        return damaged


def _refused(damaged: Sequence[DamagedRow], advice: str) -> RecoveryRefused:
    lines = ["These rows are not what this server wrote:", *map(str, damaged)]
    text = "\n".join([*lines, advice]).rstrip()
    return RecoveryRefused(text)
