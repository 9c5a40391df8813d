"""Sweeps over the rows of all accounts, in batches in the order of account and id."""

from typing import Any

from sqlalchemy import Table, bindparam, select, tuple_

from app.repository.collections.batches import Position
from app.repository.sql.driver.statements import Parameters, Query


def sweeps(table: Table) -> tuple[Query, Query]:
    """Return the statements that read the first batch, and one after a position."""
    order = (table.c.account_id, table.c.id)
    first: Query = select(*table.c).order_by(*order).limit(bindparam("limit"))
    after: Any = tuple_(bindparam("after_account"), bindparam("after_id"))
    return first, first.where(tuple_(*order) > after)


def sweep_parameters(after: Position | None, limit: int) -> Parameters:
    """Return their parameters: one row more than the limit, which shows that others follow."""
    account_id, row_id = after or (None, None)
    return {"limit": limit + 1, "after_account": account_id, "after_id": row_id}
