"""The part that a database has in the move of a deployment to another one."""

from enum import StrEnum


class MoveState(StrEnum):
    """The part of a database in a move, and its state.

    Attributes:
        CLOSED: The source; it refuses writes.
        RECEIVING: The target, as long as it lacks rows.
        RECEIVED: The target, once it was opened.
        GIVEN_UP: A target that never will be opened, since the source was opened again.
    """

    CLOSED = "closed"
    RECEIVING = "receiving"
    RECEIVED = "received"
    GIVEN_UP = "given_up"

    @property
    def is_closed(self) -> bool:
        """Return True if the deployment is not served from this database any more."""
        return self in {MoveState.CLOSED, MoveState.GIVEN_UP}
