"""A proof with a life: a listed provider opened the system data key, and not long ago.

A process that has everything cached asks no provider for minutes, so that nothing failed lately
proves nothing. What grants something therefore needs a proof younger than the cache's time to live.
A provider that is out of reach lets a proof run out. Providers that refuse end it at once, if they
do so twice, 10 seconds apart.
"""

import logging
import random
from collections.abc import Callable, Iterable
from threading import Lock

from backends.errors import (
    CredentialsMissing,
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    UnknownKey,
)

CONFIRMED_AFTER_S = 10.0
"""Seconds from a first refusal to one that confirms it."""

_RETRY_S = 10.0
_EARLIEST = 0.8  # of the interval: workers that started together spread their calls

_CHANCE = random.Random()  # noqa: S311 - it spreads load

_LOG = logging.getLogger("strongroom.keys")


def are_refusals(failures: Iterable[KeyProviderError]) -> bool:
    """Return whether every failure is a provider's refusal: the key is gone, disabled or denied."""
    refusals = (DecryptionError, KeyAccessDenied, KeyDisabled, UnknownKey)
    return all(
        isinstance(each, refusals) and not isinstance(each, CredentialsMissing) for each in failures
    )


class RootKeyProof:
    """Keeps the age of a proof, and says when it is due to be renewed.

    Args:
        seconds: The life of a proof.
        clock: Seconds that never go back, such as an ``AgeClock``.
        on_refusal: Called when refusals end the proof.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float], on_refusal: Callable[[], None]
    ) -> None:
        self.now = clock
        self._seconds = seconds
        self._on_refusal = on_refusal
        self._lock = Lock()
        self._proved_at: float | None = None
        self._refused_at: float | None = None
        self._tried_at: float | None = None
        self._next_at = 0.0
        self.has_failed = False

    @property
    def holds(self) -> bool:
        """True while there is a proof that is young enough."""
        proved_at = self._proved_at
        return proved_at is not None and self.now() - proved_at < self._seconds

    @property
    def is_due(self) -> bool:
        """True when another proof is due: at half of its life, or soon after a failure."""
        return self.now() >= self._next_at

    def was_tried_within(self, seconds: float) -> bool:
        """Return whether the last try, successful or not, is no older than this."""
        tried_at = self._tried_at
        return tried_at is not None and self.now() - tried_at < seconds

    def succeeded(self, asked_at: float) -> None:
        """Start another life.

        Args:
            asked_at: The moment before the provider was asked, by ``now``.
        """
        with self._lock:
            if self.has_failed:
                _LOG.info("root_key_proved_again")
            self._proved_at, self._refused_at = asked_at, None
            self._tried(asked_at, self._seconds / 2 * _CHANCE.uniform(_EARLIEST, 1))
            self.has_failed = False

    def failed(self, failures: Iterable[KeyProviderError], detail: str) -> None:
        """Let the proof run out, or end it.

        Args:
            failures: What each provider that was asked raised; none if nobody was.
            detail: For the log; holds no input.
        """
        failures = list(failures)
        with self._lock:
            now = self.now()
            self._tried(now, min(_RETRY_S, self._seconds / 4))
            if not self.has_failed:
                _LOG.warning("root_key_not_proved", extra={"detail": detail})
            self.has_failed = True
            if not failures or not are_refusals(failures):
                return
            if self._refused_at is None:
                self._refused_at = now
            if now - self._refused_at < CONFIRMED_AFTER_S:
                return
            if self._proved_at is not None:
                _LOG.error("root_key_refused", extra={"detail": detail})
            self._proved_at = None
        self._on_refusal()

    def _tried(self, at: float, next_after: float) -> None:
        self._tried_at = at
        self._next_at = at + next_after
