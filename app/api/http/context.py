"""The context of the current request: its id, its caller, and the services of this process."""

from collections.abc import Callable
from typing import cast

from flask import Request, current_app, g, request
from flask.ctx import _AppCtxGlobals
from flask.globals import app_ctx
from werkzeug.utils import cached_property  # that of functools locks out other threads

from app.domain.access.api_keys import Caller
from app.services.container import Services

REQUEST_ID_HEADER = "x-request-id"
SERVICES = "strongroom"
"""The key of the services among the extensions of the Flask application."""


class NotConnected(Exception):
    """This process could not connect its services yet; its log says why."""

    def __init__(self) -> None:
        super().__init__("The server is not connected to what it depends on.")


class Context(_AppCtxGlobals):
    """Flask's ``g``, with types.

    Attributes:
        request_id: Made by this server, never taken from the client.
        started_ns: On the clock of ``time.perf_counter_ns``.
        caller: Set once the API key is authenticated.
        error_code: ``None`` unless the response is an error.
    """

    request_id: str
    started_ns: int
    caller: Caller
    error_code: str | None = None

    @cached_property
    def services(self) -> Services:
        """The services of this process.

        Raises:
            NotConnected: They could not be connected yet.
        """
        return cast("Callable[[], Services]", current_app.extensions[SERVICES])()


context = cast("Context", g)


def current() -> tuple[Context, Request]:
    """Return the context and the request themselves, for code that reads many fields of them.

    ``context`` and Flask's ``request`` stand for them, and find them again at each use. That takes
    three calls.
    """
    itself: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return cast("Context", app_ctx.g), itself
