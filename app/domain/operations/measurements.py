"""Numbers about a deployment and one of its processes, for whoever watches it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """The room that a database takes, in bytes.

    Attributes:
        log: Of SQLite's write-ahead log; ``None`` where a server keeps its own.
        free: Left on the disk of the database; ``None`` where it is a server's.
    """

    database: int
    log: int | None = None
    free: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """The connections of one process to its database.

    Attributes:
        limit: The most that it opens; ``None`` where there is no limit but its threads.
    """

    in_use: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class DataKeyCounts:
    """The data keys of all accounts, by state.

    Attributes:
        oldest_active_ms: When the oldest active one was made, in Unix milliseconds.
    """

    active: int
    decrypt_only: int
    oldest_active_ms: int | None
