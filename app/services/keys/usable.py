"""Root keys to rely on when wrappings are given up: shown by opening, not by settings."""

from collections.abc import Collection
from dataclasses import dataclass, field

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.damage import DamagedRow
from app.domain.errors import NotInitialised
from app.repository.base import Database
from app.services.keys.sweep import batches
from app.services.rotation.progress import NAMED_ROWS
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import prove_unwrapping
from backends.provider import KeyProvider, WrappedKey


@dataclass(frozen=True, slots=True)
class UsableRootKeys:
    """The key_refs by which listed providers open wrappings now.

    Attributes:
        key_refs: Each proved on the system data key.
        faults: Why other wrappings of it do not count, one sentence each.
    """

    key_refs: frozenset[str]
    faults: tuple[str, ...]


def usable_root_keys(
    database: Database, keyring: Keyring, opened: OpenedSystemKey
) -> UsableRootKeys:
    """Have every healthy provider that can unwrap open its wrappings of the system data key.

    Raises:
        TamperedRow: A row of the system data key was edited.
    """
    with database.reading() as repository:
        stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
    if stored is None:
        raise NotInitialised
    key = opened.verify_data_key(stored)
    key_refs: set[str] = set()
    faults: list[str] = []
    for listed in keyring.listed:
        provider = listed.provider
        if listed.role == "escrow" or not isinstance(provider, KeyProvider):
            continue
        for wrapped in key.owned_by(provider):
            try:
                _prove(provider, wrapped, key)
                key_refs.add(wrapped.key_ref)
            except KeyProviderError as error:
                faults.append(listed.says(str(error)))
    return UsableRootKeys(frozenset(key_refs), tuple(dict.fromkeys(faults)))


@dataclass(slots=True)
class Stranded:
    """Data keys that nothing would open any more.

    Attributes:
        data_keys: Their number. Damaged ones count, since nothing of them can be relied on.
        damaged: The first rows that are not what this server wrote.
    """

    data_keys: int = 0
    damaged: list[DamagedRow] = field(default_factory=list)


def find_stranded(
    database: Database, opened: OpenedSystemKey, key_ref: str, others: Collection[str]
) -> Stranded:
    """Find data keys with a wrapping by ``key_ref`` and none by ``others``, MACs verified."""
    stranded = Stranded()
    for batch in batches(database, opened, key_ref=key_ref):
        stranded.data_keys += len(batch.damaged)
        stranded.data_keys += sum(
            all(each.key_ref not in others for each in key.wrappings) for key in batch.keys
        )
        stranded.damaged += batch.damaged[: NAMED_ROWS - len(stranded.damaged)]
    return stranded


def _prove(provider: KeyProvider, wrapped: WrappedKey, closed: ClosedKey) -> None:
    status = provider.status()
    if not status.healthy:
        raise KeyProviderError(status.detail)
    prove_unwrapping(provider, wrapped, closed.context, closed.check)
