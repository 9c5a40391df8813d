"""Keeps one client of a vendor, and has it built anew where its credentials are refused.

Only a new client looks for credentials again. Building one takes a tenth of a second of processor
time, and longer where it asks for credentials in vain, while everybody waits for it: so it is not
done for every call that is refused.
"""

from collections.abc import Callable
from copy import copy
from time import monotonic
from typing import Generic, Protocol, TypeVar

from backends.errors import KeyProviderError
from backends.per_process import PerProcess

_PAUSE = 5.0  # seconds between two tries


class Closable(Protocol):
    """What a client must be able to do."""

    def close(self) -> None: ...  # noqa: D102


Client = TypeVar("Client", bound=Closable)


class ClientKeeper(Generic[Client]):
    """One client for all threads of one process.

    Args:
        connect: Builds one, or tells why it cannot.
    """

    def __init__(self, connect: Callable[[], Client | KeyProviderError]) -> None:
        self._connect = connect
        self._client = PerProcess(self._build)
        self._failure: KeyProviderError | None = None
        self._not_before = 0.0

    def client(self) -> Client:
        """The client in use.

        Raises:
            KeyProviderError: There is none, or there was none a moment ago.
        """
        return self._client.get()

    def refused(self) -> None:
        """The vendor refuses its credentials: let the next call have another, if it may help."""
        if monotonic() >= self._not_before:
            self.close()

    def close(self) -> None:
        """Close the client of this process."""
        client = self._client.forget()
        if client is not None:
            client.close()

    def _build(self) -> Client:
        if self._failure is not None and monotonic() < self._not_before:
            raise copy(self._failure)
        built = self._connect()
        self._not_before = monotonic() + _PAUSE
        self._failure = None
        if isinstance(built, KeyProviderError):
            self._failure = built
            raise copy(built)
        return built
