"""Contexts: who sealed or wrapped bytes belong to.

A context is authenticated with the bytes and never stored in them: it is rebuilt from the row and
the request. Its encoding is part of the released format (design, section 3)::

    "strongroom" | kind u8 | fields in order

A text field is its UTF-8 length as u32-BE and its bytes; an integer field is u64-BE.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_MAGIC = b"strongroom"
_KIND_VALUE = 1
_KIND_DATA_KEY = 2
_KIND_ANSWER = 3


def _encode(kind: int, *fields: str | int) -> bytes:
    parts = [_MAGIC, bytes([kind])]
    for field in fields:
        if isinstance(field, int):
            parts.append(struct.pack(">Q", field))
        else:
            text = field.encode()
            parts += (struct.pack(">I", len(text)), text)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class KeyContext:
    """The data key that a wrapping holds."""

    deployment_id: str
    account_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 2."""
        return _encode(_KIND_DATA_KEY, self.deployment_id, self.account_id, self.data_key_id)

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
        return _encode(
            _KIND_VALUE,
            self.deployment_id,
            self.account_id,
            self.secret_id,
            self.name,
            self.version,
            self.data_key_id,
        )


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """The request whose stored answer an envelope holds, for its idempotent retries."""

    deployment_id: str
    account_id: str
    api_key_id: str
    request_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 3."""
        return _encode(
            _KIND_ANSWER,
            self.deployment_id,
            self.account_id,
            self.api_key_id,
            self.request_id,
            self.data_key_id,
        )
