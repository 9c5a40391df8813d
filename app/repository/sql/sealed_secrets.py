"""Many secrets with their sealed values and data keys, read at once.

All secrets are in one row, a text a column, empty if they do not fit; then comes a row for each
wrapping of their data keys, which beside every secret would be most of what is read.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, func, literal_column, null, select, union_all

from app.domain.secrets import SealedValue
from app.repository.base import SealedSecrets
from app.repository.sql import fields
from app.repository.sql.data_keys import DATA_KEY_COLUMNS, ITS_WRAPPINGS, parse_data_key
from app.repository.sql.fields import Row
from app.repository.sql.lists import as_bytes, as_text, is_in, values_in
from app.repository.sql.tables import data_keys, secrets, wrappings

_MOST_KEPT_BYTES = 128 * 1024  # of envelopes, 64 times

_THESE = (
    select(*(secrets.c[name] for name in ("id", "name", "data_key_id", "version", "envelope")))
    .where(secrets.c.account_id == bindparam("of_account"), is_in(secrets.c.id, "ids"))
    .cte("these")
)
_LENGTH = func.length(_THESE.c.envelope)
_SIZE = select(func.coalesce(func.sum(_LENGTH), literal_column("0"))).scalar_subquery()
_IN_ONE = (
    _SIZE,
    as_text(_THESE.c.id),
    as_text(_THESE.c.name),
    as_text(_THESE.c.data_key_id),
    as_text(_THESE.c.version),
    as_text(_LENGTH),
    as_bytes(_THESE.c.envelope),
)
_KEY_FROM = len(_IN_ONE)
_ID_OF_KEY = _KEY_FROM + DATA_KEY_COLUMNS.index(data_keys.c.id)
SEALED: CompoundSelect[Any] = union_all(
    select(*_IN_ONE, *(null() for _ in DATA_KEY_COLUMNS)).where(bindparam("most_bytes") >= _SIZE),
    select(*(null() for _ in _IN_ONE), *DATA_KEY_COLUMNS)
    .join_from(data_keys, wrappings, ITS_WRAPPINGS, isouter=True)
    .where(
        data_keys.c.account_id == bindparam("of_account"),
        data_keys.c.id.in_(select(_THESE.c.data_key_id)),
    ),
)


def parse_sealed(rows: Sequence[Row], most_bytes: int) -> SealedSecrets | None:
    """The row of all secrets and those of their data keys; ``None`` if the secrets did not fit."""
    rows_of: dict[object, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(row[_ID_OF_KEY], []).append(row)
    ((size, *in_one),) = (row[:_KEY_FROM] for row in rows_of.pop(None))
    if size > most_bytes:
        return None
    keys = [parse_data_key([row[_KEY_FROM:] for row in of_key]) for of_key in rows_of.values()]
    return SealedSecrets(_parse_values(in_one), keys)


@fields.parses("secrets")
def _parse_values(in_one: Sequence[Any]) -> tuple[SealedValue, ...]:
    *texts, envelopes = in_one
    parse = _values_in if len(envelopes) <= _MOST_KEPT_BYTES else _values_in.__wrapped__
    return parse(*texts, envelopes)


@lru_cache(maxsize=64)
def _values_in(
    ids: str, names: str, data_key_ids: str, versions: str, lengths: str, envelopes: bytes
) -> tuple[SealedValue, ...]:
    """What was read is often what was read before, when one Devbox starts after another."""
    ends = list(accumulate(map(int, values_in(lengths))))
    columns = (values_in(ids), values_in(names), values_in(data_key_ids), values_in(versions))
    return tuple(
        SealedValue(secret_id, name, data_key_id, envelopes[start:end], int(version))
        for secret_id, name, data_key_id, version, start, end in zip(
            *columns, [0, *ends][:-1], ends, strict=True
        )
    )
