"""All rows that a MAC covers, looked at one after the other."""

from collections.abc import Callable, Iterator
from itertools import chain

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.api_keys import ApiKey
from app.domain.damage import DamagedRow
from app.domain.gateways.keys import GatewayKey
from app.domain.gateways.tokens import GatewayToken
from app.domain.guarded import Guardable
from app.domain.injections import Injection
from app.repository.base import Database, Repository
from app.repository.collections.batches import Batch, Position, Stored
from app.services.keys.sweep import batches
from app.services.rows.in_batches import in_batches

BATCH = 200

_READS: tuple[Callable[[Repository, Position | None], Batch[Guardable]], ...] = (
    lambda repository, after: repository.accounts.sweep(after, BATCH),
    lambda repository, after: repository.api_keys.sweep(after, BATCH),
    lambda repository, after: repository.injections.sweep(after, BATCH),
    lambda repository, after: repository.gateway_keys.sweep(after, BATCH),
    lambda repository, after: repository.gateway_configs.sweep(after, BATCH),
    lambda repository, after: repository.gateway_tokens.sweep(after, BATCH),
    lambda repository, after: repository.gateway_uses.sweep(after, BATCH),
)


def damaged_rows(database: Database, opened: OpenedSystemKey, now_ms: int) -> Iterator[DamagedRow]:
    """Every row that is not what this server wrote, and that might grant something.

    A key, an injection or a gateway token that has ended by its own columns grants nothing, whoever
    wrote it. A gateway use grants nothing either, but is the record of what was granted.
    """
    stored = chain.from_iterable(in_batches(database, read) for read in _READS)
    for each in stored:
        if not _has_ended(each, now_ms):
            verified = opened.verify_stored(each)
            if isinstance(verified, DamagedRow):
                yield verified
    for batch in batches(database, opened):
        yield from batch.damaged


def damaged_secrets(database: Database, opened: OpenedSystemKey) -> Iterator[DamagedRow]:
    """Every secret whose account, id or name is not what this server wrote. No value is opened."""
    for each in in_batches(
        database, lambda rows, after: rows.secrets.sweep_identities(after, BATCH)
    ):
        verified = opened.verify_stored(each)
        if isinstance(verified, DamagedRow):
            yield verified


def _has_ended(stored: Stored[Guardable], now_ms: int) -> bool:
    if isinstance(stored, DamagedRow):
        return False
    match stored.unverified:
        case ApiKey() as key:
            return key.had_ended(now_ms)
        case GatewayKey() as gateway_key:
            return not gateway_key.is_live
        case GatewayToken() as token:
            return token.has_ended(now_ms)
        case Injection() as injection:
            return injection.has_ended(now_ms)
        case _:
            return False
