"""The offline half of escrow: make a recovery key, and bring everything back with it.

The fingerprint of the system data key is filed with the private key when that is made. Recovery
begins with it and then verifies every MAC, so a database in which somebody planted a system key, or
any row under it, is refused before a single row is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.errors import NotInitialised, RecoveryRefused, TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.base import Database, Repository
from app.services.keyring.held_keys import VerifiedDataKey, batches
from app.services.keyring.progress import Pace, Progress, Report
from app.services.keyring.restoring import Restoring, unwrap_recovered
from app.services.system_key import OpenedSystemKey, SystemKey
from app.services.wrappings import to_wrapped_key
from backends.context import KeyContext
from backends.data_key import key_check
from backends.errors import KeyProviderError
from backends.keyring import Keyring
from backends.recovery_files import PrivateKeyFile, SystemKeyFingerprint, public_key_text
from backends.recovery_keys import RecoveryPrivateKey
from backends.renewal import HeldKey

BATCH = 200


@dataclass(frozen=True, slots=True)
class RecoveryKeyTexts:
    """The two files of a recovery key pair. The private one is kept offline.

    Attributes:
        private: Holds the private key and the fingerprint of the system data key.
        public: What ``STRONGROOM_ESCROW_KEYS`` names.
    """

    private: PrivateKeyFile
    public: str


class Recovery:
    """Makes recovery keys, and recovers with one."""

    def __init__(self, database: Database, keyring: Keyring, system_key: SystemKey) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key

    def make_key(self) -> RecoveryKeyTexts:
        """A new pair for this deployment.

        Raises:
            KeyProviderError: The system data key, whose fingerprint is filed, cannot be opened.
        """
        opened = self._system_key.opened()
        check = key_check(opened.key, opened.context)
        key = RecoveryPrivateKey.generate()
        private = PrivateKeyFile(key, SystemKeyFingerprint(opened.context, check))
        return RecoveryKeyTexts(private, public_key_text(key.public_key))

    def run(
        self,
        private: PrivateKeyFile,
        report: Report,
        *,
        rate: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Wrap every data key for the present keyring; recovered keys open and no longer seal.

        What has all its wrappings already, and they open, stays as it is: a recovery that was
        killed, or that could not do all, is run again.

        Args:
            private: The private half, with the fingerprint that was filed.
            report: Told after each batch.
            rate: Data keys to open a second at most; ``None`` for no bound.
            dry_run: Only verify everything, open it, and count.

        Raises:
            RecoveryRefused: The database holds another system data key, or an edited row. Nothing
                was written.
            KeyUnavailable: The first provider or an escrow key cannot tell its current key_ref.
            KeyProviderConfigError: The root key that new wrappings would be made by was retired.
        """
        opened = self._open_system_key(private)
        keys = self._verified_keys(opened)
        restoring = Restoring(self._database, self._keyring, opened, private.key)
        pace = Pace(len(keys), rate, report)
        most = min(BATCH, pace.most)
        for start in range(0, len(keys), most):
            batch = keys[start : start + most]
            pace.wait(len(batch))
            changed, causes = restoring.restore(batch, dry_run=dry_run)
            pace.step(done=len(batch), changed=changed, causes=causes)
        return pace.progress()

    def _open_system_key(self, private: PrivateKeyFile) -> OpenedSystemKey:
        with self._database.reading() as repository:
            deployment_id = repository.deployment.get_id()
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        filed = private.system_key
        if deployment_id is None or stored is None:
            raise NotInitialised
        record = stored.record.unverified
        context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, record.id)
        if filed is None or filed.context != context:
            raise RecoveryRefused("The recovery key was made for another system data key.")
        wrappings = [to_wrapped_key(each.unverified) for each in stored.wrappings]
        try:
            key = unwrap_recovered(private.key, HeldKey(context, filed.check, tuple(wrappings)))
        except KeyProviderError:
            raise RecoveryRefused(
                "The system data key does not open with this recovery key."
            ) from None
        return OpenedSystemKey(context, key)

    def _verified_keys(self, opened: OpenedSystemKey) -> list[VerifiedDataKey]:
        """All data keys, when every MAC in the database is right and none was planted."""
        keys: list[VerifiedDataKey] = []
        try:
            with self._database.reading() as repository:
                for row in _guarded_rows(repository):
                    opened.verify(row)
        except TamperedRow as error:
            raise RecoveryRefused(str(error)) from None
        for batch in batches(self._database, opened):
            if batch.tampered:
                raise RecoveryRefused("A data key or a wrapping is not what this server wrote.")
            keys += batch.keys
        return keys


def _guarded_rows(repository: Repository) -> Iterator[Guarded[Guardable]]:
    yield from repository.accounts.all()
    yield from repository.api_keys.sweep()
    yield from repository.injections.sweep()
