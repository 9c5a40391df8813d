"""From the address of a database to the database."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.repository.base import Database, DatabaseMisconfigured
from app.repository.sqlite.database import SqliteDatabase

_EXPECTED = "STRONGROOM_DATABASE_URL must be like sqlite:////srv/strongroom/strongroom.db"


def connect(url: str) -> Database:
    """The database at ``url``: ``sqlite:///relative`` or ``sqlite:////absolute``.

    Nothing is opened yet.

    Raises:
        DatabaseMisconfigured: The address is of no kind that we know; it is not repeated.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseMisconfigured(_EXPECTED) from None
    only_a_path = URL.create("sqlite", database=parsed.database)
    if parsed != only_a_path or parsed.database in {None, "", ":memory:"}:
        raise DatabaseMisconfigured(_EXPECTED)
    return SqliteDatabase(Path(parsed.database).absolute())
