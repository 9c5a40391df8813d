"""Data keys from rows whose MACs were verified, as the providers' side knows them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.damage import DamagedRow
from app.domain.data_keys import DataKeyRow, StoredDataKey
from app.domain.errors import TamperedRow
from app.repository.base import Database, Repository
from app.services.keys.system_key import verify_data_key
from app.services.keys.wrappings import to_wrapped_key
from backends.context import KeyContext
from backends.keyring.opening import ClosedKey

BATCH = 200


@dataclass(frozen=True, slots=True)
class VerifiedDataKey:
    """A data key's record and wrappings, now to be believed."""

    record: DataKeyRow
    closed: ClosedKey


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
        """How many rows were read."""
        return len(self.keys) + len(self.damaged)


def batches(
    database: Database, opened: OpenedSystemKey, *, at_most: int = sys.maxsize
) -> Iterator[Batch]:
    """All data keys, 200 or ``at_most`` at a time, in the order of account and id."""
    after: tuple[str, str] | None = None
    while True:
        with database.reading() as repository:
            found = repository.data_keys.sweep(after, min(BATCH, at_most))
            batch = _read(repository, opened, found)
        if not found:
            return
        after = found[-1]
        yield batch


def _read(repository: Repository, opened: OpenedSystemKey, ids: Sequence[tuple[str, str]]) -> Batch:
    keys: list[VerifiedDataKey] = []
    damaged: list[DamagedRow] = []
    for account_id, data_key_id in ids:
        try:
            stored = repository.data_keys.get(account_id, data_key_id)
            if stored is not None:
                keys.append(_verified(opened, stored, (account_id, data_key_id)))
        except TamperedRow as error:
            damaged.append(error.row)
    return Batch(keys, damaged)


def _verified(
    opened: OpenedSystemKey, stored: StoredDataKey, asked: tuple[str, str]
) -> VerifiedDataKey:
    record = verify_data_key(opened, stored)
    if (record.account_id, record.id) != asked:
        raise TamperedRow(record.table, *asked)
    context = KeyContext(opened.context.deployment_id, record.account_id, record.id)
    wrappings = tuple(to_wrapped_key(each.unverified) for each in stored.wrappings)
    return VerifiedDataKey(record, ClosedKey(context, record.check, wrappings))
