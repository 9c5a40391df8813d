"""The operator's choices about a database server. SQLite has no use for any of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The use of a database server by one node.

    Attributes:
        connections: The number of connections that a worker may have at once.
        workers: The number of workers of this node.
    """

    connections: int = 8
    workers: int = 1
