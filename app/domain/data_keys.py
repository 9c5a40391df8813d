"""Data keys as rows: what is known of a key without opening it, and its wrappings."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from app.domain.columns import StoredRow
from app.domain.guarded import Guarded


class DataKeyState(StrEnum):
    """The state of a data key: an active one seals new values."""

    ACTIVE = "active"
    DECRYPT_ONLY = "decrypt_only"


@dataclass(frozen=True, slots=True)
class DataKeyRow(StoredRow):
    """One data key of an account.

    Attributes:
        check: By which the key itself is recognised once opened (``backends.data_key.key_check``).
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
        root: The name of the root key that ``key_ref`` is a version of; no column, and known of
            new wrappings only.
    """

    table: ClassVar[str] = "wrappings"

    account_id: str
    data_key_id: str
    scheme: str
    key_ref: str
    blob: bytes = field(repr=False)
    root: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StoredDataKey:
    """A data key's row and all its wrappings, as they stand in the database."""

    record: Guarded[DataKeyRow]
    wrappings: tuple[Guarded[Wrapping], ...]
