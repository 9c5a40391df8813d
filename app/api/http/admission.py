"""What every request passes before its view: size, then credential, then scope.

It runs before a path or method that does not exist is refused, so that under ``/v1`` only who has a
credential learns what there is.
"""

import time
from collections.abc import Mapping

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from app.api.http.authentication import bearer
from app.api.http.context import Exchange, begin, services
from app.api.http.endpoint import Credential, Operation
from app.api.http.request_body import MAX_BODY_BYTES
from app.domain.errors import InvalidRequest
from app.domain.ids import new_id

_REQUEST = "req"
_NOTHING_THERE = Operation(credential=Credential.NONE)
_NOTHING_THERE_UNDER_V1 = Operation(credential=Credential.API_KEY)


class Admission:
    """Admits requests to the operations of one application.

    Args:
        operations: The operation of every endpoint.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    def __call__(self) -> None:
        """Let the request at hand pass, or raise what it is refused for."""
        exchange = Exchange(new_id(_REQUEST), time.perf_counter_ns())
        begin(exchange)
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        operation = self._operation()
        if operation.credential is Credential.API_KEY:
            exchange.caller = services().authentication.authenticate(bearer())
            if operation.scope is not None:
                exchange.caller.require(operation.scope)
        if operation.credential is not Credential.NONE:
            _refuse_query(operation)

    def _operation(self) -> Operation:
        if request.endpoint is not None:
            return self._operations[request.endpoint]
        path = request.path
        return _NOTHING_THERE_UNDER_V1 if f"{path}/".startswith("/v1/") else _NOTHING_THERE


def _refuse_query(operation: Operation) -> None:
    """Clients that do not encode names would otherwise ask for ``A`` when they mean ``A?b``."""
    if operation.query is None and request.query_string and request.endpoint is not None:
        raise InvalidRequest("This operation takes no query parameters.")
