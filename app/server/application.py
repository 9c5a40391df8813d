"""The WSGI application: HTTP on top of the services."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_to_bytes, urlsplit

import orjson
from flask import Flask, Response
from flask.globals import app_ctx, request_ctx
from flask.json.provider import DefaultJSONProvider

from app.api.api_keys import api_keys
from app.api.audit import audit_events
from app.api.documentation import documentation, prepare
from app.api.gateways.admissions import admissions
from app.api.gateways.configs import gateway_configs
from app.api.gateways.tokens import gateway_tokens
from app.api.health import health
from app.api.http.admission import Admission
from app.api.http.context import REQUEST_ID_HEADER, SERVICES, Context, context
from app.api.http.endpoint import endpoints_of
from app.api.http.errors import error_response
from app.api.http.failure_log import log_failure
from app.api.http.request_body import READ_LIMIT_BYTES
from app.api.http.secret_ids import SECRET_ID, SecretIdConverter
from app.api.injections import injections
from app.api.secret_versions import secret_versions
from app.api.secrets import secrets
from app.domain.access.api_keys import Caller
from app.services.container import Services
from backends.calls.request_deadline import request_deadline

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REQUEST_SECONDS = 8.0
"""The time for all provider calls of one request; clients time out after 30 seconds."""

_BLUEPRINTS = (
    *(secrets, secret_versions, injections, api_keys, gateway_configs, gateway_tokens),
    audit_events,
    *(health, documentation, admissions),
)
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_logger = logging.getLogger("strongroom.api")
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


class _Json(DefaultJSONProvider):
    """Makes the responses of views, which return what is shown."""

    def response(self, *args: object, **_: object) -> Response:
        (shown,) = args
        return Response(orjson.dumps(shown), content_type="application/json")


class Application(Flask):
    """The Flask application of one process.

    Args:
        services: Returns the services, or raises ``NotConnected``; an attribute, too.
        close: Closes whatever the application uses, when its process ends.
    """

    app_ctx_globals_class = Context
    json_provider_class = _Json

    def __init__(
        self, services: Callable[[], Services], close: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__("strongroom", static_folder=None)
        self.services = services
        self.close = close
        self.config.update(
            MAX_CONTENT_LENGTH=READ_LIMIT_BYTES,
            PROVIDE_AUTOMATIC_OPTIONS=False,
            PROPAGATE_EXCEPTIONS=False,
        )
        self.url_map.merge_slashes = False
        self.url_map.converters[SECRET_ID] = SecretIdConverter
        self.extensions[SERVICES] = services
        for blueprint in _BLUEPRINTS:
            self.register_blueprint(blueprint)
        endpoints = endpoints_of(self.view_functions)
        self.before_request(Admission(endpoints, services))
        self.register_error_handler(Exception, error_response)
        self.after_request(_finish)
        prepare(self, endpoints)

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Serve one request, with a deadline for its provider calls.

        WSGI passes the path decoded. ``/v1/secrets/A%2Fdelete``, a name that no secret has, would
        arrive as the deletion of ``A``. Such a path is taken from the request line instead, and
        its ``%2F`` stays encoded.
        """
        target = environ.get("RAW_URI", "")
        if _ENCODED_SLASH.search(target):
            path = _ENCODED_SLASH.sub("%252F", _path(target))
            environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        with request_deadline(REQUEST_SECONDS):
            return super().wsgi_app(environ, start_response)

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log class and frames only: Flask would log the text, which may repeat what was sent."""
        if exc_info[1] is not None:
            log_failure(exc_info[1], context.request_id, foreseen=False)


def _path(target: str) -> str:
    """Return the path of a request target, which is itself a path or an absolute URI."""
    path = target if target.startswith("/") else urlsplit(target).path
    return re.split("[?#]", path, maxsplit=1)[0]


def _finish(response: Response) -> Response:
    """Forbid caching and content sniffing, name the request, and log it.

    The line holds the route's template, never the path, and a method only if HTTP defines it: no
    field is one that a client chooses.
    """
    served, asked = cast("Context", app_ctx.g), request_ctx.request
    response.headers.update(_ALWAYS)
    response.headers[REQUEST_ID_HEADER] = served.request_id
    caller: Caller | None = served.get("caller")
    _logger.info(
        "request",
        extra={
            "route": None if asked.url_rule is None else asked.url_rule.rule,
            "method": asked.method if asked.method in _METHODS else None,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter_ns() - served.started_ns) / 1e6, 3),
            "request_id": served.request_id,
            "account_id": None if caller is None else caller.account_id,
            "api_key_id": None if caller is None else caller.api_key_id,
            "code": served.error_code,
        },
    )
    return response
