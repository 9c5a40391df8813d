"""Data keys as rows: a key's record without the key itself, and its wrappings.

A data key is a ``GuardedDataKey`` as it is read, a ``VerifiedDataKey`` once all its MACs were
verified, and an ``OpenedKey`` with its bytes, a ``DataKey``, once a provider unwrapped it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from app.domain.columns import StoredRow
from app.domain.guarded import Guarded
from backends.context import KeyContext
from backends.keyring.opening import ClosedKey
from backends.provider import WrappedKey


class DataKeyState(StrEnum):
    """The state of a data key: an active one seals new values."""

    ACTIVE = "active"
    DECRYPT_ONLY = "decrypt_only"


@dataclass(frozen=True, slots=True)
class DataKeyRow(StoredRow):
    """One data key of an account.

    Attributes:
        check: Recognises the key once it is opened (``backends.data_key.key_check``).
        created_at_ms: Unix milliseconds.
    """

    table: ClassVar[str] = "data_keys"

    account_id: str
    id: str
    state: DataKeyState
    check: bytes
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Wrapping(StoredRow):
    """One data key wrapped by one provider.

    Attributes:
        root: The name of the root key that made it; no column, and known of new wrappings only.
    """

    table: ClassVar[str] = "wrappings"

    account_id: str
    data_key_id: str
    wrapped: WrappedKey
    root: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class GuardedDataKey:
    """A data key's row and all its wrappings as they stand in the database, not yet verified."""

    record: Guarded[DataKeyRow]
    wrappings: tuple[Guarded[Wrapping], ...]

    def closed(self, deployment_id: str) -> ClosedKey:
        """Return what the keyring opens; no MAC of it is verified yet."""
        record = self.record.unverified
        return ClosedKey(
            KeyContext(deployment_id, record.account_id, record.id),
            record.check,
            tuple([each.unverified.wrapped for each in self.wrappings]),
        )

    def is_wrapped_by(self, key_ref: str) -> bool:
        """Return whether one of the wrappings has this key_ref."""
        return any(each.unverified.wrapped.key_ref == key_ref for each in self.wrappings)


@dataclass(frozen=True, slots=True)
class VerifiedDataKey(ClosedKey):
    """A data key whose row and wrappings all have the right MACs, ready to be opened."""

    record: DataKeyRow
