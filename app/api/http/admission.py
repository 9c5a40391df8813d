"""The checks that every request passes before its view: size, credential, rate, scope, query.

They run before a path or a method that does not exist is refused. So under ``/v1`` only a client
with a credential learns which paths exist.
"""

import time
from collections.abc import Callable, Mapping
from typing import cast

from flask import request
from flask.globals import app_ctx, request_ctx
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from app.api.http.client_address import client_address
from app.api.http.context import Context
from app.api.http.endpoint import Credential, Endpoint
from app.api.http.request_body import MAX_BODY_BYTES
from app.domain.errors import DomainError, InvalidRequest, Moved, Unauthenticated
from app.domain.gateways.refusals import GatewayKeyRefused
from app.domain.ids import new_id
from app.domain.redaction import Redacted
from app.services.container import Services

ADMISSION_LISTENER = "strongroom.admission_listener"
"""The key of a request's environment that is set over the admission socket only.

It holds True if the peer's user may ask for admissions. No client can set it.
"""

_REQUEST = "req"
_NOT_FOUND = Endpoint(credential=Credential.NONE)
_NOT_FOUND_UNDER_V1 = Endpoint(credential=Credential.API_KEY)


class Admission:
    """Admits requests to the endpoints of one application.

    Args:
        endpoints: Declarations by Flask's name of the endpoint.
        services: Returns the services of this process, or raises ``NotConnected``.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], services: Callable[[], Services]) -> None:
        self._endpoints = endpoints
        self._services = services

    def __call__(self) -> None:
        """Begin the context of the current request, and check the request.

        Raises:
            RequestEntityTooLarge: The body is too large.
            NotConnected: The services could not be connected yet.
            Moved: The deployment is served from another database.
            NotFound: The endpoint is not served on the listener of this request.
            Unauthenticated: The API key is missing or not valid.
            GatewayKeyRefused: The gateway's key is missing or not valid.
            RateLimited: The API key or its account is over its limit.
            ScopeMissing: The API key lacks the scope of the endpoint.
            InvalidRequest: The endpoint takes no query.
        """
        # Themselves, where Flask's proxies would look them up at each of a dozen uses.
        context, asked = cast("Context", app_ctx.g), request_ctx.request
        context.request_id = new_id(_REQUEST)
        context.started_ns = time.perf_counter_ns()
        if (asked.content_length or 0) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        name = asked.endpoint
        endpoint = _undeclared(asked.path) if name is None else self._endpoints[name]
        _require_listener(asked.environ, endpoint)
        if endpoint.credential is not Credential.NONE:
            context.services = self._services()
            if context.services.heartbeats.is_closed:
                raise Moved
        if endpoint.credential is Credential.GATEWAY_KEY:
            context.services.gateway_keys.authenticate(bearer_token(GatewayKeyRefused))
        if endpoint.credential is Credential.API_KEY:
            services = context.services
            caller = services.authentication.authenticate(
                bearer_token(Unauthenticated), client_address(), context.request_id
            )
            context.caller = caller
            services.rate_limits.admit(caller.account_id, caller.api_key_id)
            if endpoint.scope is not None:
                caller.require(endpoint.scope)
        # Clients that do not encode names would otherwise get ``A`` when they mean ``A?b``.
        if endpoint.refuses_query and asked.query_string:
            raise InvalidRequest("This operation takes no query parameters.")


def _undeclared(path: str) -> Endpoint:
    return _NOT_FOUND_UNDER_V1 if f"{path}/".startswith("/v1/") else _NOT_FOUND


def _require_listener(environ: Mapping[str, object], endpoint: Endpoint) -> None:
    """Refuse a request on the wrong listener, as if there were no such path.

    Raises:
        NotFound: It is for a gateway and came over a public listener, or the other way round, or
            its peer may not use the admission socket.
    """
    is_for_gateways = endpoint.credential is Credential.GATEWAY_KEY
    if environ.get(ADMISSION_LISTENER) is not (True if is_for_gateways else None):
        raise NotFound


def bearer_token(missing: type[DomainError]) -> Redacted:
    """Return the bearer token of the ``Authorization`` header, which no check has passed yet.

    Raises:
        DomainError: There is none, or the scheme is another; the error is of type ``missing``.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise missing
    return Redacted(token)
