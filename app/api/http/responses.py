"""JSON responses, and the headers of every response."""

from typing import Any

import orjson
from flask import Response

from app.api.http.context import REQUEST_ID_HEADER, context

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def json_response(shown: dict[str, Any], status: int = 200) -> Response:
    """Encode ``shown`` as the body of a response."""
    return Response(orjson.dumps(shown), status, content_type="application/json")


def add_headers(response: Response) -> Response:
    """Forbid caching and content sniffing, and name the request."""
    response.headers.update(_ALWAYS)
    response.headers[REQUEST_ID_HEADER] = context.request_id
    return response
