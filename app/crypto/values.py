"""Values between rows and envelopes: the one place that seals a value and the one that opens it."""

from typing import NamedTuple

from app.crypto.envelope import open_envelope, seal
from app.crypto.opened_key import OpenedKey
from app.domain.guarded import Mac
from app.domain.memo import Memo
from app.domain.secrets import SealedValue, Secret, SecretValue, StoredSecret
from backends.context import KeyContext, encode_context

_KIND_VALUE = 1


class ValueContext(NamedTuple):
    """The row of the secret whose value an envelope holds."""

    # Spelled out for each kind of context: the order of the fields is a released format.
    deployment_id: str
    account_id: str
    secret_id: str
    name: str
    version: int
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 1."""
        return encode_context(_KIND_VALUE, *self)


def seal_value(
    opened: OpenedKey, secret: Secret, version: int, value: SecretValue, mac: Mac
) -> StoredSecret:
    """The row of a secret, with its value sealed under the opened data key.

    Args:
        secret: Its id and name are believed: they were made or verified just now.
        mac: The MAC of these.
    """
    owner = opened.context
    context = _context(owner, secret.id, secret.name, version)
    return StoredSecret(
        account_id=owner.account_id,
        id=secret.id,
        name=secret.name,
        version=version,
        data_key_id=owner.data_key_id,
        envelope=seal(opened.key, value.reveal().encode(), context),
        create_time_ms=secret.create_time_ms,
        update_time_ms=secret.update_time_ms,
        mac_key_id=mac.key_id,
        mac=mac.tag,
    )


def open_value(opened: OpenedKey, secret: SealedValue | StoredSecret) -> SecretValue:
    """The value of a row, under the data key that it names, opened.

    Raises:
        DecryptionError: The row is not what was written: any of its columns, or its envelope.
    """
    context = _remembered_context(opened.context, secret.id, secret.name, secret.version)
    plaintext = open_envelope(opened.key, secret.envelope, context, opened.record_keys)
    try:
        return SecretValue(str(plaintext, "utf-8"))
    finally:
        plaintext[:] = bytes(len(plaintext))


def _context(owner: KeyContext, secret_id: str, name: str, version: int) -> bytes:
    deployment_id, account_id, data_key_id = owner
    return ValueContext(deployment_id, account_id, secret_id, name, version, data_key_id).to_bytes()


def _remembered_context(owner: KeyContext, secret_id: str, name: str, version: int) -> bytes:
    """The same, for values that many requests open; a value is sealed only once."""
    identity = (owner, secret_id, name, version)
    context = _CONTEXTS.find(identity)
    if context is None:
        context = _context(*identity)
        _CONTEXTS.keep(identity, context, 5 * len(context) + _OVERHEAD_BYTES)
    return context


_OVERHEAD_BYTES = 1024  # of ids and of Python's objects
_CONTEXTS = Memo[tuple[KeyContext, str, str, int], bytes](8 * 1024 * 1024)
