"""The parts of a provider's table of faults."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from app.api.http.context import NotConnected
from app.services.errors import SystemKeyUnreadable
from backends.errors import DecryptionError, KeyProviderError

KINDS = (
    "refused",
    "unknown-host",
    "time-out",
    "4xx",
    "5xx",
    "throttled",
    "sealed",
    "denied",
    "disabled",
    "truncated",
    "wrong-length",
    "others-key",
)
"""The kinds of faults that every table lists: a fault each, or the reason for its absence."""


@dataclass(frozen=True)
class Failure:
    """The expected effect of a fault.

    Attributes:
        error: What the product makes of it.
        words: What it tells the operator, or a part of that.
    """

    error: type[KeyProviderError | NotConnected]
    words: str


DOES_NOT_OPEN = Failure(DecryptionError, str(DecryptionError()))
NOT_PROVED = Failure(KeyProviderError, "A new wrapping does not open to its data key.")
SYSTEM_KEY_UNREADABLE = Failure(SystemKeyUnreadable, str(SystemKeyUnreadable()))


@dataclass(frozen=True)
class Fault:
    """One way in which a provider fails.

    Attributes:
        during: Brings it about, given the ``Backend``, for as long as the block lasts.
        opening: What whoever opens a stored data key meets.
        making: The same for whoever makes a new one, where that differs.
        starting: The same for a process that starts, where that differs.
        at_start: Only processes that start meet it.
        restart: What started during it has to be started again.
    """

    during: Callable[[Any], AbstractContextManager[object]]
    opening: Failure
    making: Failure | None = None
    starting: Failure | None = None
    at_start: bool = False
    restart: bool = False


@dataclass(frozen=True)
class Never:
    """The reason for the absence of such a fault."""

    reason: str


class Backend(ABC):
    """A root key of one scheme, and what can happen to it.

    It is made by what ``request`` gives: fixtures by ``getfixturevalue``, cleaning up by
    ``addfinalizer``.

    Attributes:
        faults: The table; names beyond ``KINDS`` are the provider's own.
        libraries: Loggers of the vendor's libraries, all of which are heard at DEBUG.
        keys: ``STRONGROOM_KEYS``.
        escrow: ``STRONGROOM_ESCROW_KEYS``.
    """

    faults: ClassVar[Mapping[str, Fault | Never]]
    libraries: ClassVar[tuple[str, ...]] = ()
    keys: str
    escrow: str = ""

    @abstractmethod
    def __init__(self, request: pytest.FixtureRequest) -> None: ...

    @abstractmethod
    def rotate(self) -> None:
        """Make every wrapping stale, for processes that start afterwards."""

    @abstractmethod
    def secrets(self) -> Mapping[str, str | bytes]:
        """Texts that may appear nowhere: credentials, and the vendor's own messages."""
