"""The context of the current request: its id, its caller, and the services of this process."""

from typing import cast

from flask import g
from flask.ctx import _AppCtxGlobals

from app.domain.access.api_keys import Caller
from app.services.container import Services

REQUEST_ID_HEADER = "x-request-id"
SERVICES = "strongroom"
"""The key among Flask's extensions of the function that returns the services."""


class NotConnected(Exception):
    """This process could not connect its services yet; its log says why."""

    def __init__(self) -> None:
        super().__init__("The server is not connected to what it depends on.")


class Context(_AppCtxGlobals):
    """Flask's ``g``, with types.

    Attributes:
        request_id: Made by this server, never taken from the client.
        started_ns: On the clock of ``time.perf_counter_ns``.
        services: Set by admission, where the endpoint takes a credential.
        caller: Set once the API key is authenticated.
        error_code: ``None`` unless the response is an error.
    """

    request_id: str
    started_ns: int
    services: Services
    caller: Caller
    error_code: str | None = None


context = cast("Context", g)
