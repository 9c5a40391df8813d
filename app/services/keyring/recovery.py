"""The offline half of escrow: make a recovery key, and bring everything back with it.

The fingerprint of the system data key is filed with the private key when that is made. Recovery
begins with it and then verifies every MAC, so a database in which somebody planted a system key, or
any row under it, is refused before a single row is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.data_keys import DataKeyState
from app.domain.errors import NotInitialised, RecoveryRefused, TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.base import Database, Repository
from app.services.keyring.causes import Cause, cause_of, counted
from app.services.keyring.held_keys import VerifiedDataKey, batches
from app.services.keyring.progress import Pace, Progress, Report
from app.services.system_key import OpenedSystemKey, SystemKey
from app.services.wrappings import refusing_retired_keys, to_wrapped_key, to_wrapping
from backends.context import KeyContext
from backends.data_key import DataKey, key_check, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring import Keyring
from backends.recovery_files import PrivateKeyFile, SystemKeyFingerprint, public_key_text
from backends.recovery_keys import RecoveryPrivateKey
from backends.renewal import HeldKey


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

    def run(self, private: PrivateKeyFile, report: Report) -> Progress:
        """Wrap every data key for the present keyring; recovered keys open and no longer seal.

        A recovery that was killed is run again.

        Args:
            private: The private half, with the fingerprint that was filed.
            report: Told after each data key.

        Raises:
            RecoveryRefused: The database holds another system data key, or an edited row. Nothing
                was written.
            KeyProviderError: The present keyring cannot wrap.
        """
        opened = self._open_system_key(private)
        keys = self._verified_keys(opened)
        pace = Pace(len(keys), None, report)
        for key in keys:
            cause = self._restore(private.key, opened, key)
            pace.step(done=1, changed=int(cause is None), causes=counted(cause))
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
            key = _unwrap(private.key, HeldKey(context, filed.check, tuple(wrappings)))
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

    def _restore(
        self, private: RecoveryPrivateKey, opened: OpenedSystemKey, key: VerifiedDataKey
    ) -> Cause | None:
        """Give one data key its wrappings by the present keyring, or say why it does not open."""
        try:
            data_key = _unwrap(private, key.held)
        except KeyProviderError as error:
            return cause_of(error)
        try:
            wrapped = self._keyring.wrap(data_key, key.held.context)
        finally:
            data_key.wipe()
        record = key.record
        if record.account_id != SYSTEM_ACCOUNT_ID:
            record = replace(record, state=DataKeyState.RETIRED)
        with refusing_retired_keys(), self._database.writing() as work:
            work.data_keys.replace(opened.guard(record))
            for each in wrapped:
                if each.key_ref not in {old.key_ref for old in key.held.wrappings}:
                    work.wrappings.add(opened.guard(to_wrapping(each, key.held.context)))
            work.commit()
        return None


def _guarded_rows(repository: Repository) -> Iterator[Guarded[Guardable]]:
    yield from repository.accounts.all()
    yield from repository.api_keys.sweep()
    yield from repository.injections.sweep()


def _unwrap(private: RecoveryPrivateKey, held: HeldKey) -> DataKey:
    """The data key, verified.

    Raises:
        DecryptionError: What the recovery key wrapped does not open to it.
        UnknownKey: No wrapping is by the recovery key.
    """
    failure: KeyProviderError = UnknownKey("No wrapping is by this recovery key.")
    for wrapped in held.wrappings:
        try:
            key = private.unwrap(wrapped, held.context)
            verify_key(key, held.context, held.check)
        except UnknownKey:
            continue
        except DecryptionError as error:
            failure = error
        else:
            return key
    raise failure
