"""What the request at hand carries, held against a schema; all faults in one message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request
from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from app.api.http import strict_json
from app.api.http.idempotency_key import retry_key
from app.api.http.malformed import BodyMissing, WrongContentType
from app.api.schemas.base import UNKNOWN, Input
from app.domain.errors import InvalidRequest
from app.domain.idempotency import RetryKey

T = TypeVar("T")

MAX_BODY_BYTES = 1024 * 1024
# Werkzeug cuts a chunked body off at its limit without a word, so it is given one byte more.
READ_LIMIT_BYTES = MAX_BODY_BYTES + 1

_IT = "it"


@dataclass(frozen=True, slots=True)
class Received(Generic[T]):
    """A body that was accepted, and by what a retry of it is recognised."""

    data: T
    retry: RetryKey | None


def read_body(schema: Input[T], *, at_most: int = MAX_BODY_BYTES) -> Received[T]:
    """The body of the request at hand.

    Args:
        schema: What it may hold.
        at_most: The cap in bytes, where what may be sent is small.

    Raises:
        RequestRefused: It is not JSON, or missing where something is required.
        InvalidRequest: It breaks the schema.
        RequestEntityTooLarge: It is over the cap.
    """
    sent = _object(schema, at_most)
    return Received(_load(schema, sent, "body"), retry_key(sent))


def read_query(schema: Input[T]) -> T:
    """The query of the request at hand.

    Raises:
        InvalidRequest: It breaks the schema, or says something twice.
    """
    if not request.query_string:
        return schema.of_nothing
    sent = request.args.to_dict()
    if len(sent) != sum(1 for _ in request.args.items(multi=True)):
        raise InvalidRequest("The query is not valid.", {_IT: "must not hold a name twice"})
    return _load(schema, sent, "query")


def _object(schema: Schema, at_most: int) -> dict[str, Any]:
    body = _bytes()
    if len(body) > at_most:
        raise RequestEntityTooLarge
    if not body:
        if any(field.required for field in schema.fields.values()):
            raise BodyMissing
        return {}
    charset = request.mimetype_params.get("charset", "utf-8")
    if request.mimetype != "application/json" or charset.lower() != "utf-8":
        raise WrongContentType
    return strict_json.parse(body)


def _bytes() -> bytes:
    try:
        body = request.get_data(cache=False)
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - a server has its own errors for chunks that are none
        raise ClientDisconnected from None
    if request.content_length not in {None, len(body)}:
        raise ClientDisconnected
    return body


def _load(schema: Input[T], sent: dict[str, Any], part: str) -> T:
    try:
        return schema.loaded(sent)
    except ValidationError as error:
        faults = dict(_faults(error.messages_dict, _names(schema)))
    raise InvalidRequest(f"The {part} is not valid.", faults)


def _faults(
    messages: Mapping[Any, Any], names: frozenset[str], at: str = _IT
) -> Iterator[tuple[str, str]]:
    """Where and what each fault is. Keys that the client chose are left out."""
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
