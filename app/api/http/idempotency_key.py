"""By what a retry is recognised: the client's ``x-request-id`` and what it asked for."""

import re

from flask import request

from app.api.http.malformed import InvalidRequestId
from app.api.http.strict_json import canonical
from app.domain.idempotency import RetryKey

HEADER = "x-request-id"

_VISIBLE_ASCII = re.compile("[!-~]{1,255}")


def retry_key(parsed: dict[str, object]) -> RetryKey | None:
    """The key of the request at hand; ``None`` when the client sent no id.

    Args:
        parsed: The body: clients print the same one compactly or not.

    Raises:
        InvalidRequestId: The id is empty, too long, or holds other than visible ASCII.
    """
    request_id = request.headers.get(HEADER)
    if request_id is None:
        return None
    if not _VISIBLE_ASCII.fullmatch(request_id):
        raise InvalidRequestId
    query = request.query_string.decode("latin-1")
    return RetryKey(request_id, canonical([request.method, request.path, query, parsed]))
