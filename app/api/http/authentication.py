"""The bearer token of a request."""

from flask import request

from app.domain.errors import InjectionRefused, Unauthenticated
from app.domain.redaction import Redacted


def bearer() -> Redacted:
    """What the ``Authorization`` header holds; whether it is any good is a service's to say.

    Raises:
        Unauthenticated: There is none, or it is of another scheme.
    """
    credential = _credential()
    if credential is None:
        raise Unauthenticated
    return credential


def injection_token() -> Redacted:
    """The same, where it is the token of an injection.

    Raises:
        InjectionRefused: There is none, or it is of another scheme.
    """
    credential = _credential()
    if credential is None:
        raise InjectionRefused
    return credential


def _credential() -> Redacted | None:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        return None
    return Redacted(credential)
