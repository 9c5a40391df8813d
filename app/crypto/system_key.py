"""The opened system data key, and what it keys: MACs of rows, and hashes of tokens.

The key covers its own rows too. What it seals goes through ``app.crypto.envelope``, as under any
data key. A row that many requests read is verified once: the result is remembered by the whole row
and its MAC, so a row that differs in a single bit is another row.
"""

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from functools import cache, cached_property
from struct import Struct
from types import NoneType
from typing import TypeVar

from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from app.crypto.log_heads import HeadSigner
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.events import AuditEvent
from app.domain.damage import DamagedRow
from app.domain.data_keys import GuardedDataKey, VerifiedDataKey
from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded, GuardedField, Mac, tampered
from app.domain.memo import Memo
from backends.context import KeyContext
from backends.data_key import DataKey, derive
from backends.fingerprint import SystemKeyFingerprint

Row = TypeVar("Row", bound=Guardable)

_NUMBER = Struct(">q").pack
_LENGTH = Struct(">I").pack
_REMEMBERED_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024  # of Python's objects, for each row


class Purpose(StrEnum):
    """The purpose of a keyed hash; each has a key of its own."""

    ROW = "row"
    API_KEY_TOKEN = "api-key-token"  # noqa: S105 - a purpose, not a password
    REQUEST = "request"
    INJECTION_TOKEN = "injection-token"  # noqa: S105 - a purpose, not a password
    REDEEM_NONCE = "redeem-nonce"
    GATEWAY_KEY = "gateway-key"
    GATEWAY_TOKEN = "gateway-token"  # noqa: S105 - a purpose, not a password
    REDEEMED_TOKEN = "redeemed-token"  # noqa: S105 - a purpose, not a password
    AUDIT_EVENT = "audit-event"
    AUDIT_BLOCK = "audit-block"
    AUDIT_NAME = "audit-name"
    AUDIT_SETTING = "audit-setting"


_AUDIT_PURPOSES = {
    AuditEvent.table: Purpose.AUDIT_EVENT,
    AuditBlock.table: Purpose.AUDIT_BLOCK,
    AuditCut.table: Purpose.AUDIT_BLOCK,
}
"""The purposes of MACs of rows of the audit trail; those of all other tables are of one."""


class OpenedSystemKey:
    """The opened system data key, and what it is used for.

    The key of every purpose is derived once.
    """

    def __init__(self, context: KeyContext, key: DataKey) -> None:
        self.context = context
        self.key = key
        owner = context.to_bytes()
        self._macs = {
            purpose: HMAC(derive(key, f"strongroom/v1/mac/{purpose}|".encode(), owner), SHA256())
            for purpose in Purpose
        }
        self._verified = Memo[Guarded[Guardable], Guardable](_REMEMBERED_BYTES)

    @property
    def fingerprint(self) -> SystemKeyFingerprint:
        """The public name that distinguishes this key from a planted one."""
        return SystemKeyFingerprint.of(self.key, self.context)

    @cached_property
    def head_signer(self) -> HeadSigner:
        """Signs the heads of the audit log."""
        return HeadSigner.of(self.key, self.context)

    def digest(self, purpose: Purpose, data: bytes) -> bytes:
        """The 32-byte keyed hash of ``data`` (HMAC-SHA-256) for one purpose."""
        hmac = self._macs[purpose].copy()
        hmac.update(data)
        return hmac.finalize()

    def matches(self, purpose: Purpose, data: bytes, digest: bytes) -> bool:
        """Return whether ``digest`` is the keyed hash of ``data``, in constant time."""
        return constant_time.bytes_eq(self.digest(purpose, data), digest)

    def guard(self, row: Row) -> Guarded[Row]:
        """Cover ``row`` with a MAC, in the layout that is written."""
        layout = row.mac_layouts.written
        digest = self.digest(_purpose_of(row), _row_bytes(row, layout))
        return Guarded(row, Mac(self.context.data_key_id, bytes((layout,)) + digest))

    def guarded_columns(
        self, row_type: type[Guardable], columns: Mapping[str, GuardedField]
    ) -> dict[str, GuardedField]:
        """Return the columns of a row and of its MAC: like ``guard``, for rows written often.

        Args:
            columns: All of the row type, in its order.
        """
        layout = row_type.mac_layouts.written
        digest = self.digest(_purpose_of(row_type), _covered(row_type, layout, columns))
        tag = bytes((layout,)) + digest
        return {**columns, "mac_key_id": self.context.data_key_id, "mac": tag}

    def verify(self, guarded: Guarded[Row]) -> Row:
        """Return the row once its MAC is verified.

        Raises:
            TamperedRow: The row or its MAC is not what this server wrote.
        """
        row, mac = guarded.unverified, guarded.mac
        if mac.key_id == self.context.data_key_id:
            with suppress(_UnknownLayout):
                covered = _row_bytes(row, mac.tag[0] if mac.tag else None)
                if self.matches(_purpose_of(row), covered, mac.tag[1:]):
                    return row
        raise tampered(row)

    def verify_stored(
        self, stored: Guarded[Row] | DamagedRow, account_id: str | None = None
    ) -> Row | DamagedRow:
        """Verify a row of a list. Returns it, or its place if it is damaged.

        Args:
            account_id: The owner of the list; ``None`` for an operator's list of all accounts.
        """
        if isinstance(stored, DamagedRow):
            return stored
        try:
            row = self.verify(stored)
        except TamperedRow as error:
            return error.row
        is_listed = account_id is None or row.columns().get("account_id") == account_id
        return row if is_listed else tampered(row).row

    def verify_often(self, guarded: Guarded[Row]) -> Row:
        """Verify a row that many requests read, or recognise it as verified before.

        Raises:
            TamperedRow: The row or its MAC is not what this server wrote.
        """
        if self._verified.find(guarded) is None:
            row = self.verify(guarded)
            self._verified.keep(guarded, row, _size(row))
        return guarded.unverified

    def verify_data_key(self, stored: GuardedDataKey, *, often: bool = True) -> VerifiedDataKey:
        """Verify the MACs of a data key and of all its wrappings.

        Args:
            often: Remember what was verified. A sweep, which reads a row once, does not.

        Raises:
            TamperedRow: One of them is not what this server wrote, or belongs to another data key.
        """
        verify = self.verify_often if often else self.verify
        record = verify(stored.record)
        wrapped = []
        for guarded in stored.wrappings:
            wrapping = verify(guarded)
            if (wrapping.account_id, wrapping.data_key_id) != (record.account_id, record.id):
                raise tampered(wrapping)
            wrapped.append(wrapping.wrapped)
        context = KeyContext(self.context.deployment_id, record.account_id, record.id)
        return VerifiedDataKey(context, record.check, tuple(wrapped), record)


def stored_bytes(guarded: Guarded[Guardable]) -> bytes:
    """The bytes that a MAC covers, and then the MAC.

    Raises:
        TamperedRow: The MAC is of no layout that the row can have.
    """
    row, mac = guarded.unverified, guarded.mac
    with suppress(_UnknownLayout):
        return _row_bytes(row, mac.tag[0] if mac.tag else None) + mac.tag
    raise tampered(row)


def _purpose_of(row: Guardable | type[Guardable]) -> Purpose:
    return _AUDIT_PURPOSES.get(row.table, Purpose.ROW)


def _size(row: Guardable) -> int:
    values = row.columns().values()
    return _OVERHEAD_BYTES + sum(len(value) for value in values if isinstance(value, str | bytes))


class _UnknownLayout(Exception):
    """The row cannot be covered in this layout, or its MAC is of a layout that we do not know."""


def _row_bytes(row: Guardable, layout: int | None) -> bytes:
    """The canonical form of a row in one layout; see ``_covered``."""
    return _covered(row, layout, row.columns())


def _covered(
    row: Guardable | type[Guardable], layout: int | None, columns: Mapping[str, GuardedField]
) -> bytes:
    """The canonical form of a row in one layout; no two rows or layouts share one.

    Args:
        row: The row or its type.
        columns: Those of the row.

    Raises:
        _UnknownLayout: There is no such layout, or a column that it omits holds another value than
            in rows that were written before the column existed.
    """
    omitted = row.mac_layouts.omitted.get(layout) if layout is not None else None
    if layout is None or omitted is None:
        raise _UnknownLayout
    if omitted:
        columns = _without(columns, omitted)
    values = columns.values()
    form = _form(row.table, layout, tuple(columns), tuple(map(type, values)))
    parts: list[bytes] = []
    for value in values:
        if isinstance(value, str):
            text = value.encode()
            parts += (_LENGTH(len(text)), text)
        elif isinstance(value, int):
            parts.append(_NUMBER(value))
        elif value is not None:
            parts += (_LENGTH(len(value)), value)
    return form % tuple(parts)


def _without(
    columns: Mapping[str, GuardedField], omitted: Mapping[str, GuardedField]
) -> Mapping[str, GuardedField]:
    if any(columns[name] != value for name, value in omitted.items()):
        raise _UnknownLayout
    return {name: value for name, value in columns.items() if name not in omitted}


@cache
def _form(table: str, layout: int, names: tuple[str, ...], kinds: tuple[type, ...]) -> bytes:
    """The part of the canonical form that rows of one table and one set of types share.

    A value is its kind and, if it is no number, its length; so is each name. Made once, since a row
    has as many names as values.
    """
    parts = [_literal(bytes((layout,))), _literal(_encode_name(table))]
    for name, kind in zip(names, kinds, strict=True):
        (form,) = (form for each, form in _FORMS if issubclass(kind, each))
        parts += (_literal(_encode_name(name)), form)
    return b"".join(parts)


_FORMS = ((str, b"S%b%b"), (int, b"I%b"), (bytes, b"B%b%b"), (NoneType, b"N"))


def _encode_name(name: str) -> bytes:
    text = name.encode()
    return b"S" + _LENGTH(len(text)) + text


def _literal(part: bytes) -> bytes:
    return part.replace(b"%", b"%%")
