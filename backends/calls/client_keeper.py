"""Keeps one client of a vendor, with credentials that are fetched apart from any call.

Fetching credentials may take far longer than a call may: a command that asks a company's login, a
role that is assumed, a metadata service. So a client is always built by a thread of its own, one at
a time and with a time limit of its own. A call waits for the first client no longer than it may,
and what it did not get is there for a later one. A client whose credentials end is replaced ahead,
while calls go on with the old one.

Where credentials are refused, another client may have better ones. Building one is not done for
every call that is refused, for it takes a tenth of a second of processor time at least.
"""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from copy import copy
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from backends.calls.daemon_thread import in_daemon_thread
from backends.calls.request_deadline import seconds_remaining
from backends.errors import KeyProviderError, KeyUnavailable
from backends.lifetime import age_seconds

CALL_SECONDS = 2.8
"""Limit of a call's wait for its first client: less than the keyring's 3 s for the whole call."""

BUILD_SECONDS = 30.0
"""Limit of building a client, credentials included. After it, another try may begin."""

_PAUSE = 5.0  # seconds between two tries
_REFUSED_SECONDS = 1.0  # that a call waits for other credentials than those just refused
_AHEAD = 1 / 3  # of their remaining life, credentials are replaced before it is over
_LONGEST_AHEAD = 900.0  # seconds, as boto3 does
_HANGING_LIMIT = 4  # builds that were given up and still run


class Closable(Protocol):
    """A client that can be closed."""

    def close(self) -> None: ...  # noqa: D102


Client = TypeVar("Client", bound=Closable)


@dataclass(frozen=True, slots=True)
class Connected(Generic[Client]):
    """A client that was just built.

    Attributes:
        seconds: The life of its credentials; ``None`` where it is unknown.
    """

    client: Client
    seconds: float | None = None


Connect = Callable[[], Connected[Client] | KeyProviderError]
"""Builds a client with credentials that it looks up now, or returns why it cannot."""


class ClientKeeper(Generic[Client]):
    """One client for all threads of one process.

    Args:
        connect: Builds one; may be slow.
        setting: Names the entry that lists the provider, for messages.
    """

    def __init__(self, connect: Connect[Client], setting: str) -> None:
        self._connect = connect
        self._setting = setting
        self._lock = Lock()
        self._client: Client | None = None
        self._ends_at = float("inf")
        self._replace_at = float("inf")
        self._refused = False
        self._failure: KeyProviderError | None = None
        self._not_before = 0.0
        self._build: Future[None] | None = None
        self._build_until = 0.0
        self._places = BoundedSemaphore(1 + _HANGING_LIMIT)

    def client(self) -> Client:
        """The client in use; waits for the first one.

        Raises:
            KeyProviderError: There is none, or there was none a moment ago.
        """
        build, client, refused = self._look()
        if build is not None and (client is None or refused):
            seconds = seconds_remaining(CALL_SECONDS)
            limit = seconds if client is None else min(seconds, _REFUSED_SECONDS)
            _wait(build, limit)
            client = self._client
        if client is None:
            raise self._why_none()
        return client

    def prepare(self, seconds: float) -> bool:
        """Begin to build a client where one is needed. Returns whether there is one after so long.

        It waits for the first one only.
        """
        build, client, _ = self._look()
        if build is not None and client is None:
            _wait(build, seconds)
        return self._client is not None

    def refused(self, client: Client) -> None:
        """The vendor refuses its credentials: replace it, if that may help."""
        with self._lock:
            if client is self._client and monotonic() >= self._not_before:
                self._refused = True

    def close(self) -> None:
        """Close the client, and one that is being built. A later call builds another one."""
        with self._lock:
            client, self._client = self._client, None
            self._build = None
            self._not_before = 0.0
        if client is not None:
            client.close()

    def _look(self) -> tuple[Future[None] | None, Client | None, bool]:
        """The build under way, begun if one is due; the client; whether that was refused."""
        with self._lock:
            if age_seconds() >= self._ends_at:
                self._client = None
            if self._is_due() and not self._is_building():
                self._begin()
            build = self._build if self._is_building() else None
            return build, self._client, self._refused

    def _is_due(self) -> bool:
        is_needed = self._client is None or self._refused or age_seconds() >= self._replace_at
        return is_needed and monotonic() >= self._not_before

    def _is_building(self) -> bool:
        return self._build is not None and monotonic() < self._build_until

    def _begin(self) -> None:
        if not self._places.acquire(blocking=False):
            return
        build: Future[None] = Future()
        self._build = build
        self._build_until = monotonic() + BUILD_SECONDS
        try:
            in_daemon_thread(lambda: self._run(build), "client")
        except KeyUnavailable as error:
            self._places.release()
            self._build, self._failure = None, error

    def _run(self, build: Future[None]) -> None:
        try:
            built = self._connect()
        except BaseException as error:  # noqa: BLE001 - its class alone is shown
            built = KeyUnavailable(f"{self._setting}: {type(error).__name__} while connecting.")
        finally:
            self._places.release()
        unused = self._adopt(build, built)
        if unused is not None:
            unused.close()
        build.set_result(None)

    def _adopt(
        self, build: Future[None], built: Connected[Client] | KeyProviderError
    ) -> Client | None:
        """Take what was built into use. Returns the client that is not used any more."""
        with self._lock:
            if self._build is not build:
                return None if isinstance(built, KeyProviderError) else built.client
            self._build = None
            self._not_before = monotonic() + _PAUSE
            self._refused = False
            if isinstance(built, KeyProviderError):
                self._failure = built
                return None
            self._failure = None
            unused, self._client = self._client, built.client
            self._plan(built.seconds)
            return unused

    def _plan(self, seconds: float | None) -> None:
        if seconds is None:
            self._ends_at = self._replace_at = float("inf")
            return
        self._ends_at = age_seconds() + seconds
        self._replace_at = self._ends_at - min(seconds * _AHEAD, _LONGEST_AHEAD)

    def _why_none(self) -> KeyProviderError:
        with self._lock:
            if self._failure is not None and not self._is_building():
                return copy(self._failure)
            return KeyUnavailable(
                f"{self._setting}: its credentials are still being fetched; that may take"
                f" {BUILD_SECONDS:.0f} s and goes on in the background."
            )


def _wait(build: Future[None], seconds: float) -> None:
    try:
        build.result(seconds)
    except FutureTimeout:
        return
