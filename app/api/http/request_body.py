"""The body and the query of the current request, loaded by a schema; all faults in one message."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import orjson
from flask import Request
from flask.globals import request_ctx
from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from app.api.http import strict_json
from app.api.http.context import REQUEST_ID_HEADER
from app.api.http.malformed import BodyMissing, InvalidRequestId, WrongContentType
from app.api.schemas.base import UNKNOWN, Input
from app.domain.errors import InvalidRequest
from app.domain.idempotency import RetryKey

T = TypeVar("T")

MAX_BODY_BYTES = 1024 * 1024
# Werkzeug silently truncates a chunked body at its limit, so its limit is one byte more.
READ_LIMIT_BYTES = MAX_BODY_BYTES + 1

_IT = "it"
_REQUEST_ID = re.compile("[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class RequestBody(Generic[T]):
    """A body that was accepted.

    Attributes:
        retry: ``None`` when the client sent no request id.
    """

    data: T
    retry: RetryKey | None


def read_body(schema: Input[T], *, limit: int = MAX_BODY_BYTES) -> RequestBody[T]:
    """Read the body of the current request.

    Args:
        limit: In bytes.

    Raises:
        MalformedRequest: The body is not JSON, or a required one is missing; or the request id is
            not valid.
        InvalidRequest: The body breaks the schema.
        RequestEntityTooLarge: The body is over the limit.
    """
    asked = request_ctx.request  # itself: Flask's proxy would look it up at each of nine uses
    body = _read_bytes(asked)
    if len(body) > limit:
        raise RequestEntityTooLarge
    if body:
        _require_json(asked)
        parsed, canonical = strict_json.parse(body)
    elif any(field.required for field in schema.fields.values()):
        raise BodyMissing
    else:
        parsed, canonical = {}, b"{}"
    return RequestBody(_load(schema, parsed, "body"), _retry_key(asked, canonical))


def read_query(schema: Input[T]) -> T:
    """Read the query of the current request.

    Raises:
        InvalidRequest: The query breaks the schema, or holds a name twice.
    """
    asked = request_ctx.request
    if not asked.query_string:
        return schema.of_nothing
    sent = asked.args.to_dict()
    if len(sent) != sum(1 for _ in asked.args.items(multi=True)):
        raise InvalidRequest("The query is not valid.", {_IT: "must not hold a name twice"})
    return _load(schema, sent, "query")


def _read_bytes(asked: Request) -> bytes:
    try:
        body = asked.get_data(cache=False)
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - a server has its own errors for malformed chunks
        raise ClientDisconnected from None
    if asked.content_length not in {None, len(body)}:
        raise ClientDisconnected
    return body


def _require_json(asked: Request) -> None:
    charset = asked.mimetype_params.get("charset", "utf-8")
    if asked.mimetype != "application/json" or charset.lower() != "utf-8":
        raise WrongContentType


def _retry_key(asked: Request, canonical: bytes) -> RetryKey | None:
    """Make the key that a retry shares: method, path, query and canonical body."""
    request_id = asked.headers.get(REQUEST_ID_HEADER)
    if request_id is None:
        return None
    if not _REQUEST_ID.fullmatch(request_id):
        raise InvalidRequestId
    query = asked.query_string.decode("latin-1")
    body = orjson.Fragment(canonical)
    return RetryKey(request_id, orjson.dumps([asked.method, asked.path, query, body]))


def _load(schema: Input[T], sent: dict[str, Any], part: str) -> T:
    try:
        return cast("T", schema.load(sent))
    except ValidationError as error:  # not chained: it holds what was sent
        faults = dict(_faults(error.messages_dict, _names(schema)))
    raise InvalidRequest(f"The {part} is not valid.", faults)


def _faults(
    messages: Mapping[Any, Any], names: frozenset[str], at: str = _IT
) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each fault, without the keys that the client chose."""
    for key, found in messages.items():
        inside = _inside(key, names, at)
        if isinstance(found, Mapping):
            yield from _faults(found, names, inside)
        else:
            yield (at if UNKNOWN in found else inside), found[0]


def _inside(key: object, names: frozenset[str], at: str) -> str:
    if isinstance(key, int):
        return f"{at}[{key}]"
    if key not in names:
        return at
    return str(key) if at == _IT else f"{at}.{key}"


def _names(schema: Schema) -> frozenset[str]:
    names = set(schema.fields)
    for field in schema.fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            names |= _names(inner.schema)
    return frozenset(names)
