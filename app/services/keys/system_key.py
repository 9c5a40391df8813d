"""The system data key in this process: made once, opened once, proved again and again.

It is a data key like any other, of the account ``_system``, and it covers its own rows. There is no
second master secret. A process keeps it once opened, so that refusing, listing and deleting go on
while every provider is down. What grants something needs a young proof that a listed provider still
opens it.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.errors import DomainError, NotInitialised, TamperedRow
from app.domain.ids import DATA_KEY, DEPLOYMENT, new_id
from app.repository.base import Conflict, Database
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.errors import SystemKeyUnreadable
from app.services.keys.root_key_proof import RootKeyProof
from app.services.keys.wrappings import new_data_key, refusing_retired_keys
from backends.calls.request_deadline import request_deadline
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import (
    DecryptionError,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.bulkhead import Turn
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import Openings, try_openings
from backends.provider import WrappedKey

_FINGERPRINT = "STRONGROOM_SYSTEM_KEY_FINGERPRINT"
_PROOF_SECONDS = 8.0  # for all providers together, in the background
_GOOD_S = 20.0
_BAD_S = 3.0


@dataclass(eq=False, repr=False)
class SystemKey:
    """Opens the system data key once a process, and makes it once a deployment.

    Args:
        proof: Remembers when a listed provider last opened it.
        fingerprint: The text of the only one to be believed; ``None`` for any that opens.

    Attributes:
        opened_by: The key_refs by which ``open_by_all`` last opened it.
    """

    _database: Database
    _keyring: Keyring
    _clock: Clock
    _proof: RootKeyProof
    _trail: AuditTrail
    _fingerprint: str | None = None

    def __post_init__(self) -> None:
        self._opened: OpenedSystemKey | None = None
        self._turn = Turn(self._keyring.waiters)
        self.opened_by: frozenset[str] = frozenset()

    def opened(self) -> OpenedSystemKey:
        """The system data key, opened by the first call that can.

        Raises:
            NotInitialised: The database has none.
            SystemKeyUnreadable: Its row or a wrapping of it was edited, or is of other keys.
            KeyProviderError: No provider opens it now.
        """
        if self._opened is None:
            with self._turn.wait():
                if self._opened is None:
                    self._opened = self._verified()
        return self._opened

    @property
    def is_open(self) -> bool:
        """True once this process has opened the key."""
        return self._opened is not None

    def require_proof(self) -> None:
        """Refuse to grant anything unless a listed provider opened the key lately.

        Call it outside of transactions: a provider may have to be asked.

        Raises:
            SystemKeyUnreadable: Its row or a wrapping of it was edited.
            KeyProviderError: No listed provider opens it now.
        """
        if self._proof.holds:
            return
        opened = self.opened()
        with self._turn.wait():
            if not self._proof.holds:
                self._prove_or_refuse(opened)

    def renew_proof(self) -> None:
        """Look after the proof in the background: every few seconds, in a process that serves."""
        self._keyring.refresh()
        if self._keyring.remote and not self._proof.is_due:
            return
        with suppress(KeyProviderError, DomainError):
            self.open_by_all()

    def open_by_all(self) -> None:
        """Have listed providers open every wrapping whose root key was not retired.

        Raises:
            NotInitialised: The database has no system data key.
            TamperedRow: Its row or a wrapping of it was edited.
            KeyProviderError: This process has not opened it yet, and cannot now.
        """
        with request_deadline(_PROOF_SECONDS):
            if not self.is_open and not self.is_proved():  # which does not wait for others
                raise KeyUnavailable("The system data key is not open yet.")
            opened = self.opened()
            with self._turn.wait():
                self.opened_by = self._prove(opened, until_one=False).key_refs

    def is_proved(self) -> bool:
        """Return whether a listed provider opened the key in the last 20 seconds.

        One caller asks the provider; the others get the result of the last try. A failure counts
        for 3 seconds in a process that never opened the key.
        """
        valid_s = _GOOD_S if self.is_open else _BAD_S
        if not self._proof.was_tried_within(valid_s):
            with suppress(KeyProviderError, DomainError), self._turn.take():
                self._try()
        return self.is_open and not self._proof.has_failed

    def create(self) -> bool:
        """Make the deployment id and the system data key where the database has none.

        Two processes may do this at once: one of them makes both, and both then open the same key.

        Returns:
            Whether the database had none.

        Raises:
            KeyProviderError: A provider could not wrap the new key; nothing was made.
        """
        with self._database.reading() as repository:
            exists = repository.deployment.get_id() is not None
        if not exists:
            if self._fingerprint is not None:
                raise KeyProviderConfigError(f"{_FINGERPRINT}: the database has no system key yet.")
            self._add(new_id(DEPLOYMENT))
        self.opened()
        return not exists

    def _try(self) -> None:
        if self._opened is None:
            self._opened = self._verified()
        else:
            self._prove(self._opened, until_one=True)

    def _verified(self) -> OpenedSystemKey:
        asked_at = self._proof.now()
        try:
            opened, failure = self._open()
        except (DecryptionError, TamperedRow):
            self._proof.failed((), str(SystemKeyUnreadable()))
            raise SystemKeyUnreadable from None
        except (KeyProviderError, DomainError) as error:
            self._proof.failed((), str(error))
            raise
        if failure is None:
            self._proof.succeeded(asked_at)
        else:
            self._proof.failed((failure,), str(failure))
        return opened

    def _open(self) -> tuple[OpenedSystemKey, KeyProviderError | None]:
        """Open the key. Returns it, and an error if only a retired root key opened it: no proof."""
        with self._database.reading() as repository:
            deployment_id = repository.deployment.get_id()
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
            fences = repository.wrappings.fences()
        if deployment_id is None or stored is None:
            raise NotInitialised
        closed = stored.closed(deployment_id)
        key, failure = _unwrap(self._keyring, closed, fences)
        opened = OpenedSystemKey(closed.context, key)
        opened.verify_data_key(stored, often=False)
        self._recognise(opened)
        return opened, failure

    def _recognise(self, opened: OpenedSystemKey) -> None:
        if self._fingerprint is not None and self._fingerprint != opened.fingerprint.text:
            raise KeyProviderConfigError(f"{_FINGERPRINT}: the database holds another system key.")

    def _prove_or_refuse(self, opened: OpenedSystemKey) -> None:
        try:
            openings = self._prove(opened, until_one=True)
        except TamperedRow:
            raise SystemKeyUnreadable from None
        if openings.key_refs:
            return
        failure = openings.failures[-1]
        raise SystemKeyUnreadable if isinstance(failure, DecryptionError) else failure

    def _prove(self, opened: OpenedSystemKey, *, until_one: bool) -> Openings:
        """Have listed providers open the key's wrappings as stored, and note the result."""
        asked_at = self._proof.now()
        try:
            openings = self._try_openings(opened, until_one=until_one)
        except DomainError as error:
            self._proof.failed((), str(error))
            raise
        if openings.key_refs:
            self._proof.succeeded(asked_at)
        else:
            self._proof.failed(openings.failures, str(openings.failures[-1]))
        return openings

    def _try_openings(self, opened: OpenedSystemKey, *, until_one: bool) -> Openings:
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
            fences = repository.wrappings.fences()
        if stored is None:
            raise NotInitialised
        key = opened.verify_data_key(stored)
        usable = _without_retired(key.wrappings, fences, self._keyring)
        if not _owns_any(self._keyring, usable):
            return Openings(frozenset(), (_not_owned(self._keyring, fences),))
        owners = self._keyring.owners(usable)
        return try_openings(owners, key.context, key.check, until_one=until_one)

    def _add(self, deployment_id: str) -> None:
        context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, new_id(DATA_KEY))
        key, wrapped = self._keyring.generate(context)
        opened = OpenedSystemKey(context, key)
        stored = new_data_key(opened, self._keyring, context, (key, wrapped), self._clock())
        try:
            with suppress(Conflict), refusing_retired_keys(), self._database.writing() as work:
                work.deployment.add(deployment_id)
                work.data_keys.add(stored.record, stored.wrappings)
                about = (deployment_id, context.data_key_id)
                self._trail.commit(work, opened, Action.DEPLOYMENT_CREATED, *about)
        finally:
            key.wipe()


def _without_retired(
    wrapped: Iterable[WrappedKey], fences: Collection[str], keyring: Keyring
) -> list[WrappedKey]:
    """Return the wrappings whose key_ref and root key are not fenced."""
    if not fences:
        return list(wrapped)
    return [
        each
        for each in wrapped
        if each.key_ref not in fences and keyring.root_of(each.key_ref) not in fences
    ]


def _owns_any(keyring: Keyring, wrapped: Iterable[WrappedKey]) -> bool:
    """Return whether a listed provider could open one of these."""
    return any(keyring.owns(each.key_ref) for each in wrapped)


def _not_owned(keyring: Keyring, fences: Collection[str]) -> UnknownKey:
    """Return the error for a data key that no listed provider owns; names the retired keys."""
    current = {status.key_ref for status in keyring.statuses() if status.key_ref}
    retired = sorted(each for each in current if {each, keyring.root_of(each)} & {*fences})
    if not retired:
        return UnknownKey("No listed provider owns a wrapping of this data key.")
    return UnknownKey(
        f"STRONGROOM_KEYS: only keys that were retired are listed ({', '.join(retired)}); list "
        "another one and restart, or see: strongroom keyring retire --undo"
    )


def _unwrap(
    keyring: Keyring, key: ClosedKey, fences: Collection[str]
) -> tuple[DataKey, KeyProviderError | None]:
    """Open a data key, by retired root keys only where no other one does.

    Returns:
        The key, and why no other root key opens it.

    Raises:
        KeyProviderError: Nothing opens it.
    """
    usable = _without_retired(key.wrappings, fences, keyring)
    try:
        return keyring.unwrap(replace(key, wrappings=tuple(usable))), None
    except KeyProviderError as error:
        failure = error if _owns_any(keyring, usable) else _not_owned(keyring, fences)
    if not _owns_any(keyring, [each for each in key.wrappings if each not in usable]):
        raise failure
    return keyring.unwrap(key), failure
