"""Answers: prebuilt plain objects as JSON, and the headers that every answer carries."""

from typing import Any

import orjson
from flask import Response

from app.api.http.context import exchange
from app.api.http.idempotency_key import HEADER

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(shown: dict[str, Any], status: int = 200) -> Response:
    """``shown`` as JSON."""
    return Response(orjson.dumps(shown), status, content_type="application/json")


def secure(response: Response) -> Response:
    """Forbid storing and guessing, and name the request."""
    response.headers.update(_ALWAYS)
    response.headers[HEADER] = exchange().request_id
    return response
