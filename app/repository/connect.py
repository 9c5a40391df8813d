"""From the address of a database to the database."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.repository.base import Database, DatabaseMisconfigured
from app.repository.postgresql.options import ServerOptions
from app.repository.sqlite.database import SqliteDatabase

_EXPECTED = (
    "STRONGROOM_DATABASE_URL must be like sqlite:////srv/strongroom/strongroom.db or "
    "postgresql://db.example/strongroom?user=strongroom"
)
_DEFAULTS = ServerOptions()
_POSTGRESQL = ("postgresql://", "postgres://")
_NO_DRIVER = (
    "STRONGROOM_DATABASE_URL: the driver of PostgreSQL is missing; "
    "run: pip install 'strongroom[postgresql]'"
)


def connect(url: str, options: ServerOptions = _DEFAULTS) -> Database:
    """The database at ``url``: ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql:``.

    Nothing is opened yet.

    Args:
        url: Its address.
        options: The use of a database server, where it is one.

    Raises:
        DatabaseMisconfigured: The address is of no kind that we know; it is not repeated.
    """
    if is_server(url):
        return _connect_postgresql(url, options)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseMisconfigured(_EXPECTED) from None
    only_a_path = URL.create("sqlite", database=parsed.database)
    if parsed != only_a_path or parsed.database in {None, "", ":memory:"}:
        raise DatabaseMisconfigured(_EXPECTED)
    return SqliteDatabase(Path(parsed.database).absolute())


def is_server(url: str) -> bool:
    """Return True if an address names a database server, which has ``ServerOptions``."""
    return url.startswith(_POSTGRESQL)


def has_password(url: str) -> bool:
    """Return True if an address can be used, and holds a password."""
    if not is_server(url):
        return False
    try:
        connect(url)  # imports the driver
    except DatabaseMisconfigured:
        return False
    from app.repository.postgresql.address import parse_address  # noqa: PLC0415 - see above

    return bool(parse_address(url).parameters.get("password"))


def _connect_postgresql(url: str, options: ServerOptions) -> Database:
    """Import the driver, which is an extra, only for who uses it."""
    try:
        from app.repository.postgresql.database import PostgresqlDatabase  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise DatabaseMisconfigured(_NO_DRIVER) from None
    return PostgresqlDatabase(url, options)
