"""Keeps one Vault token usable: renews it before it expires, logs in again when that fails.

A thread in the background renews, so that no call waits for it and a process that is idle for
longer than a token lives keeps a token that only renewal keeps alive. Whoever finds the token
expired or refused logs in at once, one thread for all.
"""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic

from backends.deadline import Deadline
from backends.errors import KeyProviderError, KeyUnavailable

_RENEWAL_SECONDS = 3.0  # for one renewal in the background, retries included
_RENEW_AT = 2 / 3  # of a token's life, as Vault's own agent does
_JITTER = 0.1  # of that moment, earlier: a fleet that started together must not renew together
_SHORTEST_PAUSE = 0.5  # seconds between two renewals
_LONGEST_RETRY = 30.0  # seconds until a failed renewal is tried again
_USELESS_LOGIN_PAUSE = 5.0  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A token for some time.

    Attributes:
        token: What requests carry; never shown.
        seconds: How long it lives; 0 for ever.
        renewable: Vault says that its life can be prolonged.
        since: When it was asked for, on the monotonic clock.
    """

    token: str = field(repr=False)
    seconds: float
    renewable: bool
    since: float

    @property
    def has_expired(self) -> bool:
        """Whether its life is over, by our clock."""
        return 0 < self.seconds <= monotonic() - self.since


class TokenSource(ABC):
    """Where tokens come from."""

    @abstractmethod
    def log_in(self, deadline: Deadline) -> Lease:
        """A new lease.

        Raises:
            KeyProviderError: There is none.
        """

    @abstractmethod
    def renew(self, lease: Lease, deadline: Deadline) -> Lease:
        """The same token with a longer life.

        Raises:
            KeyUnavailable: Vault cannot tell now.
            KeyProviderError: It cannot be renewed.
        """


class TokenKeeper:
    """One token for all threads of one process."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._lock = Lock()  # held while a lease is replaced, never while it is used
        self._lease: Lease | None = None
        self._whole_life = 0.0
        self._renew_at: float | None = None
        self._no_login_before = 0.0
        self._changed = Event()
        self._closed = False
        self._thread: Thread | None = None

    def lease(self, deadline: Deadline) -> Lease:
        """The lease in use; logs in when there is none.

        Raises:
            KeyProviderError: Logging in failed, or did not end before the deadline.
        """
        lease = self._lease
        if lease is None or lease.has_expired:
            return self._log_in_instead_of(lease, deadline)
        return lease

    def replace(self, refused: Lease, deadline: Deadline) -> Lease:
        """Another lease than the one that Vault just refused; the same one if that is no use.

        Raises:
            KeyProviderError: Logging in failed, or did not end before the deadline.
        """
        if self._lease is refused and monotonic() < self._no_login_before:
            return refused
        return self._log_in_instead_of(refused, deadline)

    def replacing_did_not_help(self) -> None:
        """Vault refuses new tokens as well: logging in for every call would only be a burden."""
        self._no_login_before = monotonic() + _USELESS_LOGIN_PAUSE

    def close(self) -> None:
        """End the thread; a renewal under way is not waited for."""
        self._closed = True
        self._changed.set()

    def _log_in_instead_of(self, known: Lease | None, deadline: Deadline) -> Lease:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise KeyUnavailable("Logging in to Vault took too long.")
        try:
            if self._lease is not None and self._lease is not known:
                return self._lease
            return self._log_in(deadline)
        finally:
            self._lock.release()

    def _log_in(self, deadline: Deadline) -> Lease:
        lease = self._source.log_in(deadline)
        self._whole_life = lease.seconds
        self._adopt(lease)
        if self._thread is None and lease.seconds:
            self._thread = Thread(target=self._keep_fresh, name="vault-token", daemon=True)
            self._thread.start()
        return lease

    def _adopt(self, lease: Lease) -> None:
        self._lease = lease
        self._renew_at = None
        if lease.seconds:
            share = _RENEW_AT * random.uniform(1 - _JITTER, 1)  # noqa: S311 # spreads load only
            self._renew_at = lease.since + max(lease.seconds * share, _SHORTEST_PAUSE)
        self._changed.set()

    def _keep_fresh(self) -> None:
        while not self._closed:
            renew_at = self._renew_at
            if renew_at is None:
                self._changed.wait()
            elif not self._changed.wait(max(0.0, renew_at - monotonic())):
                self._refresh()
            self._changed.clear()

    def _refresh(self) -> None:
        with self._lock:
            lease = self._lease
            if self._renew_at is None or monotonic() < self._renew_at:
                return  # another lease has come meanwhile
            self._renew_at = None
            if lease is None or lease.has_expired:
                return  # whoever needs a token next logs in
            retry = min(max(lease.seconds / 20, _SHORTEST_PAUSE), _LONGEST_RETRY)
            try:
                self._prolong(lease, Deadline(_RENEWAL_SECONDS))
            except KeyProviderError:
                self._renew_at = monotonic() + retry

    def _prolong(self, lease: Lease, deadline: Deadline) -> None:
        if lease.renewable:
            try:
                renewed = self._source.renew(lease, deadline)
            except KeyUnavailable:
                raise
            except KeyProviderError:
                pass
            else:
                self._adopt(renewed)
                if renewed.seconds >= self._whole_life / 2:
                    return  # otherwise it nears the age beyond which no renewal helps
        self._log_in(deadline)
