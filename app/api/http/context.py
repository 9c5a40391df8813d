"""What belongs to the request at hand, and the services of this process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app, g

from app.domain.access.api_keys import Caller
from app.services.container import Services

SERVICES = "strongroom"


class NotConnected(Exception):
    """This process could not connect its services yet; its log says why."""

    def __init__(self) -> None:
        super().__init__("The server is not connected to what it depends on.")


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as the log tells of them.

    Attributes:
        request_id: Made by us, never taken from the client.
        started_ns: On the clock of ``time.perf_counter_ns``.
        caller: ``None`` until authenticated.
        error_code: ``None`` unless the answer is an error.
    """

    request_id: str
    started_ns: int
    caller: Caller | None = None
    error_code: str | None = None


def begin(exchange: Exchange) -> None:
    """Make ``exchange`` the one at hand."""
    g.exchange = exchange


def exchange() -> Exchange:
    """The exchange at hand."""
    return cast("Exchange", g.exchange)


def caller() -> Caller:
    """Who the request comes from; only in operations that take an API key."""
    authenticated = exchange().caller
    if authenticated is None:
        raise RuntimeError("This operation takes no API key.")
    return authenticated


def services() -> Services:
    """The services of this process.

    Raises:
        NotConnected: They could not be connected yet.
    """
    connected = cast("Callable[[], Services]", current_app.extensions[SERVICES])
    return connected()
