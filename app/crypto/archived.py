"""The second seal of old values: under the system data key, bound to their row.

An envelope that stood in the row of a secret would open there again. Sealed once more it does not,
until the server itself takes it out of the archive. No provider is called for it, and no value is
opened.
"""

from dataclasses import replace
from typing import NamedTuple

from app.crypto.envelope import open_envelope, seal
from app.crypto.system_key import OpenedSystemKey
from app.domain.secret_versions import ArchivedVersion
from backends.context import encode_context
from backends.errors import DecryptionError

_KIND_ARCHIVED = 4


class ArchivedContext(NamedTuple):
    """The row of the old version whose envelope is archived."""

    # Spelled out for each kind of context: the order of the fields is a released format.
    deployment_id: str
    account_id: str
    secret_id: str
    version: int
    data_key_id: str
    created_at_ms: int
    replaced_at_ms: int
    replaced_by: str
    system_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 4."""
        return encode_context(_KIND_ARCHIVED, *self)


def archive(system_key: OpenedSystemKey, row: ArchivedVersion, envelope: bytes) -> ArchivedVersion:
    """Return the row with this envelope archived in it."""
    context = _context(system_key, row).to_bytes()
    return replace(row, archived=seal(system_key.key, envelope, context))


def open_archived(system_key: OpenedSystemKey, row: ArchivedVersion) -> bytes:
    """Return the envelope that is archived in a row.

    Raises:
        DecryptionError: The row is not what was written: any of its columns.
    """
    try:
        context = _context(system_key, row).to_bytes()
    except (OverflowError, UnicodeEncodeError):
        context = None
    if context is None:  # outside the handler, as no column may stay in an error's context
        raise DecryptionError
    return bytes(open_envelope(system_key.key, row.archived, context))


def _context(system_key: OpenedSystemKey, row: ArchivedVersion) -> ArchivedContext:
    return ArchivedContext(
        deployment_id=system_key.context.deployment_id,
        account_id=row.account_id,
        secret_id=row.secret_id,
        version=row.version,
        data_key_id=row.data_key_id,
        created_at_ms=row.created_at_ms,
        replaced_at_ms=row.replaced_at_ms,
        replaced_by=row.replaced_by,
        system_key_id=system_key.context.data_key_id,
    )
