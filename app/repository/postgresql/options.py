"""The operator's choices about a database server. SQLite has no use for any of them."""

from dataclasses import dataclass, field

from config.files import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The use of a database server by one node.

    Attributes:
        connections: The number of connections that a worker may have at once.
        workers: The number of workers of this node.
        pooler: A pooler such as pgbouncer stands between. It may give each transaction another
            session, so nothing of a session may be relied on: statements are not prepared, and its
            settings come from the role.
        migration_url: The address for migrations, which need a role that owns the tables and no
            pooler between; not shown, since it may hold a password.
        files: Reads the files that the address names.
    """

    connections: int = 8
    workers: int = 1
    pooler: bool = False
    migration_url: str | None = field(default=None, repr=False)
    files: Files = field(default_factory=Files, repr=False)
