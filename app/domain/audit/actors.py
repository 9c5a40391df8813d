"""Actors: an API key, an operator's command, or the server by itself."""

from dataclasses import dataclass
from typing import Protocol, Self


class Actor(Protocol):
    """The actor of a record, and the place from which it acted.

    Attributes:
        actor: The text that is recorded.
        issuers: The ids of all API keys above the actor's, root first.
        address: The client's address, if it is known.
        request_id: The server's own id of the request, which its log has, too.
    """

    @property
    def actor(self) -> str: ...  # noqa: D102 - see the class
    @property
    def issuers(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def address(self) -> str | None: ...  # noqa: D102
    @property
    def request_id(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class NamedActor:
    """An actor whose text is known.

    A caller of the API is another actor: ``app.domain.access.api_keys.Caller``.
    """

    actor: str
    issuers: tuple[str, ...] = ()
    address: str | None = None
    request_id: str | None = None

    @classmethod
    def operator(cls, command: str, user_id: int, login_user_id: int | None) -> Self:
        """Return the operator of a command.

        Args:
            user_id: The numeric id of the user as whom it runs.
            login_user_id: The one of the user who logged in, if that is known.
        """
        user = f"{user_id}" if login_user_id is None else f"{user_id}/{login_user_id}"
        return cls(f"operator:{user}:{command}")


SERVER = NamedActor("server")
"""A worker that was asked by nobody: sweeps, and what it finds."""
