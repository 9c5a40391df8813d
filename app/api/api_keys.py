"""``/v1/apikeys`` and ``/v1/restricted_keys``: keys with no more scopes than the key that asks."""

from typing import Any

from flask import Blueprint
from marshmallow import Schema

from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_body
from app.api.schemas.api_keys import (
    ApiKeyCreatedView,
    ApiKeyCreateParameters,
    NewApiKey,
    RestrictedKeyCreatedView,
    RestrictedKeyCreateParameters,
)
from app.api.schemas.base import Input
from app.domain.access.api_keys import IssuedApiKey
from app.domain.access.scopes import Scope, granting_pairs

api_keys = Blueprint("api_keys", __name__)

_CREATE = ApiKeyCreateParameters()
_CREATE_RESTRICTED = RestrictedKeyCreateParameters()


def _described(operation_id: str, shown: type[Schema]) -> Description:
    responses = {200: (shown, "The new key, shown this once.")}
    return Description(id=operation_id, tag="api keys", responses=responses)


@api_keys.post("/v1/apikeys")
@with_api_key(
    Scope.KEYS_WRITE,
    _described("createApiKey", ApiKeyCreatedView),
    body=_CREATE,
)
def create_api_key() -> dict[str, Any]:
    """Issue an API key with the scopes of the key that asks."""
    return api_key_created_view(_mint(_CREATE))


@api_keys.post("/v1/restricted_keys")
@with_api_key(
    Scope.KEYS_WRITE,
    _described("createRestrictedKey", RestrictedKeyCreatedView),
    body=_CREATE_RESTRICTED,
)
def create_restricted_key() -> dict[str, Any]:
    """Issue an API key with fewer scopes."""
    return restricted_key_created_view(_mint(_CREATE_RESTRICTED))


def _mint(schema: Input[NewApiKey]) -> IssuedApiKey:
    body = read_body(schema)
    wanted = body.data
    return context.services.api_keys.mint(
        context.caller,
        name=wanted.name,
        scopes=wanted.scopes,
        expires_at_ms=wanted.expires_at_ms,
        retry=body.retry,
    )


def api_key_created_view(issued: IssuedApiKey) -> dict[str, Any]:
    """Make an ``ApiKeyCreatedView``."""
    return {
        "id": issued.id,
        "name": issued.name,
        "key_secret": issued.token.reveal(),
        "expires_at_ms": issued.expires_at_ms,
    }


def restricted_key_created_view(issued: IssuedApiKey) -> dict[str, Any]:
    """Make a ``RestrictedKeyCreatedView``."""
    scopes = [
        {"resource_type": resource_type, "access_level": access_level}
        for resource_type, access_level in granting_pairs(issued.scopes)
    ]
    return {**api_key_created_view(issued), "scopes": scopes}
