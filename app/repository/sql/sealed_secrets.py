"""Many secrets with their sealed values and data keys: read at once, and compared later.

A redemption reads all its secrets with one statement. The first row has all of them, each column
joined to one text, and is empty if their envelopes are too large. Then comes one row for each
wrapping of their data keys, which would be repeated for every secret otherwise.

Before it commits, the redemption compares the same texts with those that it read, inside its
``UPDATE``, so any difference leaves the token unused.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    bindparam,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from app.domain.columns import Row
from app.domain.errors import TamperedRow
from app.domain.secrets import SealedValue
from app.repository.collections.secrets import SealedSecrets
from app.repository.sql.data_keys import DATA_KEY_COLUMNS, ITS_WRAPPINGS, parse_data_keys
from app.repository.sql.driver.dialect import as_bytes, as_list, as_text, is_in, text_of, values_in
from app.repository.sql.driver.statements import Parameters
from app.repository.sql.tables import data_keys, secrets, wrappings

_SELECTED = (
    select(*(secrets.c[name] for name in SealedValue._fields))
    .where(secrets.c.account_id == bindparam("of_account_id"), is_in(secrets.c.id, "ids"))
    .order_by(secrets.c.id)
)
_THESE = _SELECTED.cte("these")
_SIZE = select(
    func.coalesce(func.sum(func.length(_THESE.c.envelope)), literal_column("0"))
).scalar_subquery()


def _columns(these: FromClause) -> dict[str, ColumnElement[Any]]:
    """The columns that are read of secrets, by the parameter that each is compared with."""
    return {
        "read_ids": as_text(these.c.id, these.c.id),
        "read_names": as_text(these.c.name, these.c.id),
        "read_data_key_ids": as_text(these.c.data_key_id, these.c.id),
        "read_versions": as_text(these.c.version, these.c.id),
        "read_lengths": as_text(func.length(these.c.envelope), these.c.id),
        "read_envelopes": as_bytes(these.c.envelope, these.c.id),
    }


_IN_ONE = (_SIZE, *_columns(_THESE).values())
_KEY_FROM = len(_IN_ONE)
SEALED: CompoundSelect[Any] = union_all(
    select(*_IN_ONE, *(null() for _ in DATA_KEY_COLUMNS)).where(bindparam("max_bytes") >= _SIZE),
    select(*(null() for _ in _IN_ONE), *DATA_KEY_COLUMNS)
    .join_from(data_keys, wrappings, ITS_WRAPPINGS, isouter=True)
    .where(
        data_keys.c.account_id == bindparam("of_account_id"),
        data_keys.c.id.in_(select(_THESE.c.data_key_id)),
    ),
)


def _as_read() -> ColumnElement[bool]:
    # What is longer than anything that was read is another row, and may be far too long.
    similar = _SELECTED.where(func.length(secrets.c.envelope) <= bindparam("read_longest"))
    columns = _columns(similar.subquery("these"))
    now = select(*(column.label(name) for name, column in columns.items())).subquery("now")
    unchanged = [column == bindparam(name) for name, column in now.c.items()]
    return select(now.c.read_ids).where(*unchanged).exists()


AS_READ = _as_read()
"""The condition that secrets are exactly as they were read; ``as_read`` has its parameters."""


def as_read(read: Sequence[SealedValue]) -> Parameters:
    """Return the parameters of ``AS_READ``, except for the account."""
    columns = zip(*sorted(read), strict=True) if read else ((),) * len(SealedValue._fields)
    ids, names, data_key_ids, envelopes, versions = columns
    lengths = [*map(len, envelopes)]
    return {
        "ids": as_list(ids),
        "read_longest": max(lengths, default=0),
        "read_ids": text_of(ids),
        "read_names": text_of(names),
        "read_data_key_ids": text_of(data_key_ids),
        "read_versions": text_of(map(str, versions)),
        "read_lengths": text_of(map(str, lengths)),
        "read_envelopes": b"".join(envelopes),
    }


def parse_sealed(rows: Sequence[Row], max_bytes: int) -> SealedSecrets | None:
    """Parse the row of secrets and those of their data keys; ``None`` if they are too large."""
    ((size, *in_one),) = (row[:_KEY_FROM] for row in rows if row[0] is not None)
    if size > max_bytes:
        return None
    keys = parse_data_keys([row[_KEY_FROM:] for row in rows if row[0] is None])
    try:
        return SealedSecrets(_parse_values(in_one), keys)
    except ValueError:
        pass
    # Outside the handler, because the error of a value would stay as its context.
    raise TamperedRow(secrets.name)


def _parse_values(in_one: Sequence[Any]) -> tuple[SealedValue, ...]:
    *texts, envelopes = in_one
    ids, names, data_key_ids, versions, lengths = map(values_in, texts)
    ends = list(accumulate(map(int, lengths)))
    values = [envelopes[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    columns = zip(ids, names, data_key_ids, values, map(int, versions), strict=True)
    return tuple(map(SealedValue._make, columns))
