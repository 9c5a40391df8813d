"""The bearer token of a request."""

from flask import request

from app.domain.errors import Unauthenticated
from app.domain.redaction import Redacted


def bearer() -> Redacted:
    """What the ``Authorization`` header holds; whether it is any good is a service's to say.

    Raises:
        Unauthenticated: There is none, or it is of another scheme.
    """
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated
    return Redacted(credential)
