"""The rows that a move copies, as anybody sees them who can read the database."""

from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, select

from app.repository.sql.tables import metadata

COPIED = [each for each in metadata.sorted_tables if each.name not in {"workers", "moves"}]
Rows = dict[str, list[tuple[Any, ...]]]


def engine(url: str) -> Engine:
    """Connects to the database at one of our addresses."""
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


def moved_rows(url: str) -> Rows:
    """Every row of every table that moves."""
    with engine(url).connect() as connection:
        return {
            each.name: [
                tuple(row) for row in connection.execute(select(each).order_by(*each.primary_key))
            ]
            for each in COPIED
        }
