"""Keeps one Vault token usable: renews it before it expires, logs in again when that fails.

A thread in the background renews, so that no call waits for it and a process that is idle for
longer than a token lives keeps a token that only renewal keeps alive. Where the token is found
expired or refused, a thread logs in at once for all. A call waits for that no longer than it may;
the login goes on, for it may take longer, as where Vault asks Kubernetes about a pod.
"""

import random
from abc import ABC, abstractmethod
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from copy import copy
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic

from backends.calls.daemon_thread import in_daemon_thread
from backends.calls.deadline import Deadline
from backends.errors import KeyProviderError, KeyUnavailable
from backends.lifetime import age_seconds

_LOGIN_SECONDS = 6.0  # for one login, retries included
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
        seconds: Its life; 0 for ever.
        renewable: Vault says that its life can be prolonged.
        since: When it was asked for, by ``age_seconds``.
    """

    token: str = field(repr=False)
    seconds: float
    renewable: bool
    since: float

    @property
    def has_expired(self) -> bool:
        """True once its life is over, by our clock."""
        return 0 < self.seconds <= age_seconds() - self.since


class TokenSource(ABC):
    """A source of tokens."""

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
            KeyUnavailable: Vault does not answer now.
            KeyProviderError: It cannot be renewed.
        """


class TokenKeeper:
    """One token for all threads of one process."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._lock = Lock()  # taken while a lease is replaced, never while it is used
        self._lease: Lease | None = None
        self._whole_life = 0.0
        self._renew_at: float | None = None
        self._no_login_before = 0.0
        self._changed = Event()
        self._closed = False
        self._thread: Thread | None = None
        self._login: Future[Lease] | None = None
        self._login_lock = Lock()
        self._too_slow: KeyProviderError | None = None
        self._no_slow_login_before = 0.0

    def prepare(self, deadline: Deadline) -> bool:
        """Log in where there is no lease. Returns whether there is one by the deadline."""
        try:
            self.lease(deadline)
        except KeyProviderError:
            return False
        return True

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
        with self._login_lock:
            lease = self._lease
            if lease is not None and lease is not known:
                return lease
            self._require_new_login_may_help()
            if self._login is None or self._login.done():
                self._login = in_daemon_thread(lambda: self._log_in_once(known), "vault-login")
            login = self._login
        try:
            return login.result(deadline.remaining())
        except FutureTimeout:
            raise KeyUnavailable(
                "Vault could not be asked. It took too long. Logging in goes on in the background."
            ) from None

    def _log_in_once(self, known: Lease | None) -> Lease:
        with self._lock:
            lease = self._lease
            if lease is not None and lease is not known:
                return lease  # the thread that renews was here before
            deadline = Deadline(_LOGIN_SECONDS)
            try:
                return self._log_in(deadline)
            except KeyUnavailable as error:
                if not deadline.remaining():
                    self._too_slow = copy(error)
                    self._no_slow_login_before = monotonic() + _USELESS_LOGIN_PAUSE
                raise

    def _require_new_login_may_help(self) -> None:
        """Refuse at once where the last login used up its time, and that was a moment ago."""
        if self._too_slow is not None and monotonic() < self._no_slow_login_before:
            raise copy(self._too_slow)

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
            elif not self._changed.wait(max(0.0, renew_at - age_seconds())):
                self._refresh()
            self._changed.clear()

    def _refresh(self) -> None:
        with self._lock:
            lease = self._lease
            if self._renew_at is None or age_seconds() < self._renew_at:
                return  # another lease has come meanwhile
            self._renew_at = None
            if lease is None or lease.has_expired:
                return  # the next call that needs a token logs in
            retry = min(max(lease.seconds / 20, _SHORTEST_PAUSE), _LONGEST_RETRY)
            try:
                self._prolong(lease, Deadline(_RENEWAL_SECONDS))
            except KeyProviderError:
                self._renew_at = age_seconds() + retry

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
