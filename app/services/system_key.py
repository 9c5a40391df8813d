"""The system data key: what keys the server's own hashes and seals its stored answers.

It is a data key like any other, of the account ``_system``, and it covers its own rows. There is no
second master secret. A process keeps it once opened, so that refusing, listing and deleting go on
while every provider is down.
"""

import threading
from contextlib import suppress
from enum import StrEnum
from typing import TypeVar

from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.damage import DamagedRow
from app.domain.data_keys import DataKeyRecord, DataKeyState, StoredDataKey, Wrapping
from app.domain.errors import NotInitialised, TamperedRow
from app.domain.guarded import Guardable, Guarded, Mac, tampered
from app.domain.ids import DATA_KEY, DEPLOYMENT, new_id
from app.domain.memo import Memo
from app.repository.base import Conflict, Database
from app.services.clock import Clock
from app.services.errors import SystemKeyUnreadable
from app.services.row_macs import UnknownLayout, row_bytes
from app.services.wrappings import new_wrapping, refusing_retired_keys, to_wrapped_key
from backends.context import KeyContext
from backends.data_key import DataKey, derive, key_check
from backends.errors import DecryptionError, KeyUnavailable
from backends.keyring import Keyring
from backends.request_deadline import seconds_left
from backends.waiting import LONGEST_WAIT_SECONDS

Row = TypeVar("Row", bound=Guardable)

_REMEMBERED_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024  # of Python's objects, for each row


class Purpose(StrEnum):
    """What a keyed hash is for; each purpose has a key of its own."""

    ROW = "row"
    API_KEY_TOKEN = "api-key-token"  # noqa: S105 - a purpose, not a password
    REQUEST = "request"
    INJECTION_TOKEN = "injection-token"  # noqa: S105 - a purpose, not a password
    REDEEM_NONCE = "redeem-nonce"


class OpenedSystemKey:
    """The opened system data key, and what it is used for.

    The key of every purpose is derived once.
    """

    def __init__(self, context: KeyContext, key: DataKey) -> None:
        self.context = context
        self.key = key
        self._macs = {purpose: HMAC(self._derive(purpose), SHA256()) for purpose in Purpose}
        self._verified = Memo[Guarded[Guardable], Guardable](_REMEMBERED_BYTES, _size)

    def digest(self, purpose: Purpose, data: bytes) -> bytes:
        """The 32-byte keyed hash of ``data`` (HMAC-SHA-256) for one purpose."""
        hmac = self._macs[purpose].copy()
        hmac.update(data)
        return hmac.finalize()

    def matches(self, purpose: Purpose, data: bytes, digest: bytes) -> bool:
        """Whether ``digest`` is the keyed hash of ``data``, in constant time."""
        return constant_time.bytes_eq(self.digest(purpose, data), digest)

    def guard(self, row: Row) -> Guarded[Row]:
        """Cover ``row`` with a MAC, in the layout that is written."""
        layout = row.mac_layouts.written
        digest = self.digest(Purpose.ROW, row_bytes(row, layout))
        return Guarded(row, Mac(self.context.data_key_id, bytes((layout,)) + digest))

    def verify(self, guarded: Guarded[Row]) -> Row:
        """The row, now to be believed.

        Raises:
            TamperedRow: The row or its MAC is not what this server wrote.
        """
        row, mac = guarded.unverified, guarded.mac
        if mac.key_id != self.context.data_key_id or not self._covers(mac, row):
            raise tampered(row)
        return row

    def verify_stored(self, stored: Guarded[Row] | DamagedRow) -> Row | DamagedRow:
        """A row of a list: itself to be believed, or as damaged."""
        if isinstance(stored, DamagedRow):
            return stored
        try:
            return self.verify(stored)
        except TamperedRow as error:
            return error.row

    def verify_often(self, guarded: Guarded[Row]) -> Row:
        """The same, for rows that many requests read: what was verified before is remembered.

        A row that differs in anything, its MAC included, is another one.

        Raises:
            TamperedRow: The row or its MAC is not what this server wrote.
        """
        if self._verified.find(guarded) is None:
            self._verified.keep(guarded, self.verify(guarded))
        return guarded.unverified

    def _covers(self, mac: Mac, row: Guardable) -> bool:
        try:
            covered = row_bytes(row, mac.layout)
        except UnknownLayout:
            return False
        return self.matches(Purpose.ROW, covered, mac.tag[1:])

    def _derive(self, purpose: Purpose) -> bytes:
        label = f"strongroom/v1/mac/{purpose}|".encode()
        return derive(self.key, label, self.context.to_bytes())


def _size(_: Guarded[Guardable], row: Guardable) -> int:
    values = row.columns().values()
    return _OVERHEAD_BYTES + sum(len(value) for value in values if isinstance(value, str | bytes))


class SystemKey:
    """Opens the system data key once a process, and makes it once a deployment."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._opened: OpenedSystemKey | None = None
        self._lock = threading.Lock()

    def opened(self) -> OpenedSystemKey:
        """The system data key, opened by the first call that can.

        Raises:
            NotInitialised: The database has none.
            SystemKeyUnreadable: Its row or a wrapping of it was edited, or is of other keys.
            KeyProviderError: No provider opens it now.
        """
        if self._opened is None:
            self._take_turn()
            try:
                if self._opened is None:
                    self._opened = self._verified()
            finally:
                self._lock.release()
        return self._opened

    def create(self) -> None:
        """Make the deployment id and the system data key where the database has none.

        Two processes may do this at once: one of them makes both, and both then open the same key.

        Raises:
            KeyProviderError: A provider could not wrap the new key; nothing was made.
        """
        with self._database.reading() as repository:
            exists = repository.deployment.get_id() is not None
        if not exists:
            self._add(new_id(DEPLOYMENT))
        self.opened()

    def _take_turn(self) -> None:
        """Take the lock: one thread asks the providers, and a few wait for it."""
        if self._lock.acquire(blocking=False):
            return
        with self._keyring.followers.place():
            if not self._lock.acquire(timeout=seconds_left(LONGEST_WAIT_SECONDS)):
                raise KeyUnavailable("The system data key is not open yet.")

    def _verified(self) -> OpenedSystemKey:
        try:
            return self._open()
        except (DecryptionError, TamperedRow):
            raise SystemKeyUnreadable from None

    def _open(self) -> OpenedSystemKey:
        with self._database.reading() as repository:
            deployment_id = repository.deployment.get_id()
            stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        if deployment_id is None or stored is None:
            raise NotInitialised
        record = stored.record.unverified
        context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, record.id)
        wrapped = [to_wrapped_key(each.unverified) for each in stored.wrappings]
        key = self._keyring.unwrap(wrapped, context, record.check)
        opened = OpenedSystemKey(context, key)
        verify_data_key(opened, stored)
        return opened

    def _add(self, deployment_id: str) -> None:
        context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, new_id(DATA_KEY))
        key, wrapped = self._keyring.generate(context)
        opened = OpenedSystemKey(context, key)
        record = DataKeyRecord(
            account_id=SYSTEM_ACCOUNT_ID,
            id=context.data_key_id,
            state=DataKeyState.ACTIVE,
            check=key_check(key, context),
            created_at_ms=self._clock(),
        )
        wrappings = [opened.guard(new_wrapping(each, context, self._keyring)) for each in wrapped]
        try:
            with suppress(Conflict), refusing_retired_keys(), self._database.writing() as work:
                work.deployment.add(deployment_id)
                work.data_keys.add(opened.guard(record), wrappings)
                work.commit()
        finally:
            key.wipe()


def verify_data_key(opened: OpenedSystemKey, stored: StoredDataKey) -> DataKeyRecord:
    """The record of a stored data key, after its MAC and that of every wrapping was verified.

    Raises:
        TamperedRow: One of them is not what this server wrote, or belongs to another data key.
    """
    record = opened.verify_often(stored.record)
    for guarded in stored.wrappings:
        wrapping: Wrapping = opened.verify_often(guarded)
        if (wrapping.account_id, wrapping.data_key_id) != (record.account_id, record.id):
            raise tampered(wrapping)
    return record
