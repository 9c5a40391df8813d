"""The one walk over all data keys: in bounded batches, every MAC verified."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.damage import DamagedRow
from app.domain.data_keys import VerifiedDataKey
from app.domain.errors import TamperedRow
from app.repository.base import Database, Repository

BATCH = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of the data keys of all accounts.

    Attributes:
        damaged: The rows because of which others were left out.
    """

    keys: list[VerifiedDataKey]
    damaged: list[DamagedRow]

    @property
    def size(self) -> int:
        """The number of data keys that were read."""
        return len(self.keys) + len(self.damaged)


def batches(
    database: Database,
    opened: OpenedSystemKey,
    *,
    limit: int = sys.maxsize,
    key_ref: str | None = None,
) -> Iterator[Batch]:
    """Yield all data keys in batches of up to 200 or ``limit``, in the order of account and id.

    Args:
        key_ref: Pass over data keys without a wrapping by it, unless ``None``.
    """
    after: tuple[str, str] | None = None
    while True:
        batch = Batch([], [])
        with database.reading() as repository:
            found = repository.data_keys.sweep(after, min(BATCH, limit))
            for ids in found:
                _read(repository, opened, ids, key_ref, batch)
        if not found:
            return
        after = found[-1]
        yield batch


def _read(
    repository: Repository,
    opened: OpenedSystemKey,
    ids: tuple[str, str],
    key_ref: str | None,
    batch: Batch,
) -> None:
    try:
        stored = repository.data_keys.get(*ids)
        if stored is None or not (key_ref is None or stored.is_wrapped_by(key_ref)):
            return
        key = opened.verify_data_key(stored, often=False)
    except TamperedRow as error:
        batch.damaged.append(error.row)
        return
    if (key.record.account_id, key.record.id) == ids:
        batch.keys.append(key)
    else:
        batch.damaged.append(DamagedRow.at(key.record.table, *ids))
