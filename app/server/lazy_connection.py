"""A connection to the services that is made when it can be, so a worker starts in any state."""

import threading
from collections.abc import Callable
from contextlib import suppress

from app.api.http.context import NotConnected
from app.api.http.failure_log import log_failure
from app.domain.errors import DomainError
from app.repository.base import DatabaseMisconfigured
from app.services.container import Services
from app.services.errors import KeyProviderError

WARM_UP_SECONDS = 1.0

_FORESEEN = (DatabaseMisconfigured, KeyProviderError, DomainError)


class LazyConnection:
    """The services of one process, connected by the first call that can.

    Args:
        build: Connects the services; raises when it cannot.
    """

    def __init__(self, build: Callable[[], Services]) -> None:
        self._build = build
        self._services: Services | None = None
        self._is_closed = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> Services:
        """Return the services.

        Raises:
            NotConnected: They cannot be connected now; the log says why.
        """
        if self._services is None:
            self._connect()
        if self._services is None:
            raise NotConnected
        return self._services

    def warm_up(self) -> None:
        """Open the system key before the first requests need it; wait for one second at most."""
        with suppress(NotConnected):
            opening = threading.Thread(target=_open_system_key, args=(self(),), daemon=True)
            opening.start()
            opening.join(WARM_UP_SECONDS)

    def close(self) -> None:
        """Close the services, and connect no others."""
        self._is_closed.set()
        if self._services is not None:
            self._services.close()

    def _connect(self) -> None:
        """Connect, unless another thread does: none waits behind what may be slow."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._services is None and not self._is_closed.is_set():
                services = self._build()
                services.tasks.start()
                self._services = services
                if self._is_closed.is_set():  # while it was built
                    services.close()
        except Exception as error:  # noqa: BLE001 - the worker goes on, whatever the error
            log_failure(error, None, foreseen=isinstance(error, _FORESEEN))
        finally:
            self._lock.release()


def _open_system_key(services: Services) -> None:
    """Open the key; after a failure, requests try again."""
    try:
        services.readiness.report()
    except Exception as error:  # noqa: BLE001 - the thread would print what it holds
        log_failure(error, None, foreseen=False)
