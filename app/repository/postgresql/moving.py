"""The connection of a move: one that changes tables, and waits for no lock for long."""

import psycopg
from sqlalchemy import Connection, NullPool, create_engine

from app.repository.base import DatabaseMisconfigured
from app.repository.postgresql.address import parse_address
from app.repository.postgresql.connection_faults import explain_connecting
from app.repository.postgresql.connections import connect_to_migrate
from app.repository.sql.driver.statements import attempt

_STATEMENT_S = 60
"""Limit of one statement: it reads or writes a batch, makes a trigger, or counts a table."""


def connect_to_move(url: str, option: str) -> Connection:
    """Open a connection of the user that owns the tables.

    Raises:
        DatabaseMisconfigured: It cannot be opened; names the option.
    """
    try:
        connection = connect_to_migrate(parse_address(url, option), _STATEMENT_S)
    except psycopg.Error as error:
        fault = explain_connecting(error)
    else:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: connection,
            poolclass=NullPool,
            hide_parameters=True,
        )
        return attempt(engine.connect)
    # Outside the handler: the driver's error names the address.
    raise DatabaseMisconfigured(f"{option}: {fault}")
