"""Contexts: whom sealed or wrapped bytes belong to.

A context is authenticated with the bytes and never stored in them: it is rebuilt from the row and
the request. Its encoding is part of the released format (design, section 3)::

    "strongroom" | kind u8 | fields in order

A text field is its UTF-8 length as u32-BE and its bytes; an integer field is u64-BE. Kind 2 is the
context of a data key. Kind 1 is in ``app.crypto.values``, kind 3 in
``app.services.idempotency``, kind 4 in ``app.crypto.archived``.
"""

from functools import lru_cache
from typing import NamedTuple

_MAGIC = b"strongroom"
_KIND_DATA_KEY = 2


class KeyContext(NamedTuple):
    """The data key that a wrapping holds."""

    deployment_id: str
    account_id: str
    data_key_id: str

    @lru_cache(maxsize=1024)  # noqa: B019 - equal contexts share an entry, and none is kept alive
    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 2; a key is wrapped, opened and checked under the same."""
        return encode_context(_KIND_DATA_KEY, *self)

    def to_mapping(self) -> dict[str, str]:
        """The same ids as strings, for a vendor whose context is a map (KMS logs it: ids only)."""
        return {
            "strongroom:deployment": self.deployment_id,
            "strongroom:account": self.account_id,
            "strongroom:data-key": self.data_key_id,
        }


def encode_context(kind: int, *fields: str | int) -> bytes:
    """The canonical encoding of the fields of one kind of context."""
    parts = [_MAGIC, bytes((kind,))]
    for field in fields:
        if isinstance(field, int):
            parts.append(field.to_bytes(8, "big"))
        else:
            encoded = field.encode()
            parts += (len(encoded).to_bytes(4, "big"), encoded)
    return b"".join(parts)
