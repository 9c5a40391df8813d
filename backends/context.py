"""Contexts: who sealed or wrapped bytes belong to.

A context is authenticated with the bytes and never stored in them: it is rebuilt from the row and
the request. Its encoding is part of the released format (design, section 3)::

    "strongroom" | kind u8 | fields in order

A text field is its UTF-8 length as u32-BE and its bytes; an integer field is u64-BE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_MAGIC = b"strongroom"
_KIND_VALUE = 1
_KIND_DATA_KEY = 2
_KIND_ANSWER = 3


def _text(field: str) -> bytes:
    encoded = field.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def _number(field: int) -> bytes:
    return field.to_bytes(8, "big")


@lru_cache(maxsize=1024)
def _owner(kind: int, deployment_id: str, account_id: str) -> bytes:
    """How every context of this kind and account begins."""
    return _MAGIC + bytes([kind]) + _text(deployment_id) + _text(account_id)


class KeyContext(NamedTuple):
    """The data key that a wrapping holds."""

    deployment_id: str
    account_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 2."""
        owner = _owner(_KIND_DATA_KEY, self.deployment_id, self.account_id)
        return owner + _text(self.data_key_id)

    def to_mapping(self) -> Mapping[str, str]:
        """The same ids as strings, for a vendor whose context is a map (KMS logs it: ids only)."""
        return {
            "strongroom:deployment": self.deployment_id,
            "strongroom:account": self.account_id,
            "strongroom:data-key": self.data_key_id,
        }


@dataclass(frozen=True, slots=True)
class ValueContext:
    """The row of the secret whose value an envelope holds."""

    deployment_id: str
    account_id: str
    secret_id: str
    name: str
    version: int
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 1."""
        return (
            _owner(_KIND_VALUE, self.deployment_id, self.account_id)
            + _text(self.secret_id)
            + _text(self.name)
            + _number(self.version)
            + _text(self.data_key_id)
        )


@dataclass(frozen=True, slots=True)
class StoredResponseContext:
    """The request whose stored answer an envelope holds, for its idempotent retries."""

    deployment_id: str
    account_id: str
    api_key_id: str
    request_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 3."""
        return (
            _owner(_KIND_ANSWER, self.deployment_id, self.account_id)
            + _text(self.api_key_id)
            + _text(self.request_id)
            + _text(self.data_key_id)
        )
