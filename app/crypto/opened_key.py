"""A data key that was opened, with the context that says whose it is."""

from dataclasses import dataclass, field

from app.crypto.record_keys import RecordKeys
from backends.context import KeyContext
from backends.data_key import DataKey


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """An opened data key, for the time of a ``with`` block.

    Attributes:
        context: The account and the id of the key.
        key: Its bytes; wiped when the block ends.
        record_keys: Those derived from it before; ``None`` where none are cached.
    """

    context: KeyContext
    key: DataKey
    record_keys: RecordKeys | None = field(default=None, repr=False)
