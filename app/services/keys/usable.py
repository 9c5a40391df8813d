"""What can be relied on when wrappings are given up: shown by opening, not by what settings say."""

from collections.abc import Collection
from dataclasses import dataclass, field

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.damage import DamagedRow
from app.domain.data_keys import StoredDataKey
from app.domain.errors import NotInitialised, TamperedRow
from app.repository.base import Database, Repository
from app.services.keys.system_key import verify_data_key
from app.services.keys.wrappings import to_wrapped_key
from app.services.rotation.progress import NAMED_ROWS
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import prove_unwrapping
from backends.provider import KeyProvider, WrappedKey

BATCH = 200


@dataclass(frozen=True, slots=True)
class Reliance:
    """By which key_refs listed providers open wrappings now.

    Attributes:
        key_refs: Each proved on the system data key.
        faults: Why other wrappings of it do not count, one sentence each.
    """

    key_refs: frozenset[str]
    faults: tuple[str, ...]


def reliance(database: Database, keyring: Keyring, opened: OpenedSystemKey) -> Reliance:
    """Have every healthy provider that can unwrap open its wrappings of the system data key.

    Raises:
        TamperedRow: A row of the system data key was edited.
    """
    with database.reading() as repository:
        stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
    if stored is None:
        raise NotInitialised
    record = verify_data_key(opened, stored)
    wrappings = tuple(to_wrapped_key(each.unverified) for each in stored.wrappings)
    closed = ClosedKey(opened.context, record.check, wrappings)
    key_refs: set[str] = set()
    faults: list[str] = []
    for listed in keyring.listed:
        provider = listed.provider
        if listed.role == "escrow" or not isinstance(provider, KeyProvider):
            continue
        for wrapped in closed.owned_by(provider):
            try:
                _prove(provider, wrapped, closed)
                key_refs.add(wrapped.key_ref)
            except KeyProviderError as error:
                faults.append(listed.says(str(error)))
    return Reliance(frozenset(key_refs), tuple(dict.fromkeys(faults)))


@dataclass(slots=True)
class Stranded:
    """Data keys that nothing would open any more.

    Attributes:
        data_keys: How many; the damaged ones count, since nothing of them can be relied on.
        damaged: The first rows that are not what this server wrote.
    """

    data_keys: int = 0
    damaged: list[DamagedRow] = field(default_factory=list)


def find_stranded(
    database: Database, opened: OpenedSystemKey, key_ref: str, others: Collection[str]
) -> Stranded:
    """Data keys with a wrapping by ``key_ref`` and none by ``others``, MACs verified."""
    stranded = Stranded()
    after: tuple[str, str] | None = None
    while True:
        with database.reading() as repository:
            found = repository.data_keys.sweep(after, BATCH)
            for ids in found:
                _look_at(repository, opened, ids, key_ref, others, stranded)
        if not found:
            return stranded
        after = found[-1]


def _prove(provider: KeyProvider, wrapped: WrappedKey, closed: ClosedKey) -> None:
    status = provider.status()
    if not status.healthy:
        raise KeyProviderError(status.detail)
    prove_unwrapping(provider, wrapped, closed.context, closed.check)


def _look_at(
    repository: Repository,
    opened: OpenedSystemKey,
    ids: tuple[str, str],
    key_ref: str,
    others: Collection[str],
    stranded: Stranded,
) -> None:
    try:
        stored = repository.data_keys.get(*ids)
        if stored is None or key_ref not in _key_refs(stored):
            return
        verify_data_key(opened, stored)
    except TamperedRow as error:
        stranded.data_keys += 1
        if len(stranded.damaged) < NAMED_ROWS:
            stranded.damaged.append(error.row)
    else:
        stranded.data_keys += _key_refs(stored).isdisjoint(others)


def _key_refs(stored: StoredDataKey) -> set[str]:
    return {each.unverified.key_ref for each in stored.wrappings}
