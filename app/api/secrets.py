"""``/v1/secrets``: create, list, get, update and delete, by name and by id."""

from typing import Any

from flask import Blueprint

from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_body, read_query
from app.api.schemas.secrets import (
    EmptyRecord,
    SecretCreateParameters,
    SecretListQuery,
    SecretListView,
    SecretUpdateParameters,
    SecretView,
)
from app.domain.access.scopes import Scope
from app.domain.secrets import Secret, SecretPage, SecretRef

# Each view declares itself in full, also where two are alike: all of it is found in one place.
secrets = Blueprint("secrets", __name__)

_CREATE = SecretCreateParameters()
_LIST = SecretListQuery()
_UPDATE = SecretUpdateParameters()
_NOTHING = EmptyRecord()


def _described(operation_id: str, done: str) -> Description:
    responses = {200: (SecretView, done)}
    return Description(id=operation_id, tag="secrets", responses=responses)


@secrets.post("/v1/secrets")
@with_api_key(
    Scope.SECRETS_WRITE,
    _described("createSecret", "The secret was created."),
    body=_CREATE,
)
def create_secret() -> dict[str, Any]:
    """Keep a new secret."""
    body = read_body(_CREATE)
    secret = context.services.secrets.create(
        context.caller, body.data.name, body.data.value, body.retry
    )
    return secret_view(secret)


@secrets.get("/v1/secrets")
@with_api_key(
    Scope.SECRETS_READ,
    Description(
        id="listSecrets",
        tag="secrets",
        responses={200: (SecretListView, "One page of secrets.")},
    ),
    query=_LIST,
)
def list_secrets() -> dict[str, Any]:
    """List the account's secrets, newest first."""
    query = read_query(_LIST)
    page = context.services.secrets.list(
        context.caller,
        query.wanted,
        query.limit,
        query.starting_after,
        with_total=query.include_total_count,
    )
    return secret_list_view(page)


@secrets.get("/v1/secrets/<name>")
@with_api_key(
    Scope.SECRETS_READ,
    _described("getSecret", "The secret."),
)
def get_secret(name: str) -> dict[str, Any]:
    """Get a secret by its name."""
    return _get(SecretRef.by_name(name))


@secrets.get("/v1/secrets/id/<secret_id:secret_id>")
@with_api_key(
    Scope.SECRETS_READ,
    _described("getSecretById", "The secret."),
)
def get_secret_by_id(secret_id: str) -> dict[str, Any]:
    """Get a secret by its id."""
    return _get(SecretRef.by_id(secret_id))


@secrets.post("/v1/secrets/<name>")
@with_api_key(
    Scope.SECRETS_WRITE,
    _described("updateSecret", "The value was replaced."),
    body=_UPDATE,
)
def update_secret(name: str) -> dict[str, Any]:
    """Replace the value of a secret."""
    return _update(SecretRef.by_name(name))


@secrets.post("/v1/secrets/id/<secret_id:secret_id>/update")
@with_api_key(
    Scope.SECRETS_WRITE,
    _described("updateSecretById", "The value was replaced."),
    body=_UPDATE,
)
def update_secret_by_id(secret_id: str) -> dict[str, Any]:
    """Replace the value of a secret, by its id."""
    return _update(SecretRef.by_id(secret_id))


@secrets.post("/v1/secrets/<name>/delete")
@with_api_key(
    Scope.SECRETS_WRITE,
    _described("deleteSecret", "What the secret was."),
    body=_NOTHING,
)
def delete_secret(name: str) -> dict[str, Any]:
    """Delete a secret for good."""
    return _delete(SecretRef.by_name(name))


@secrets.post("/v1/secrets/id/<secret_id:secret_id>/delete")
@with_api_key(
    Scope.SECRETS_WRITE,
    _described("deleteSecretById", "What the secret was."),
    body=_NOTHING,
)
def delete_secret_by_id(secret_id: str) -> dict[str, Any]:
    """Delete a secret for good, by its id."""
    return _delete(SecretRef.by_id(secret_id))


def _get(ref: SecretRef) -> dict[str, Any]:
    return secret_view(context.services.secrets.get(context.caller, ref))


def _update(ref: SecretRef) -> dict[str, Any]:
    body = read_body(_UPDATE)
    secret = context.services.secrets.update(context.caller, ref, body.data, body.retry)
    return secret_view(secret)


def _delete(ref: SecretRef) -> dict[str, Any]:
    body = read_body(_NOTHING)
    secret = context.services.secrets.delete(context.caller, ref, body.retry)
    return secret_view(secret)


def secret_view(secret: Secret) -> dict[str, Any]:
    """Make a ``SecretView``."""
    secret_id, name, created, updated = secret
    return {
        "id": secret_id,
        "name": name,
        "create_time_ms": created,
        "update_time_ms": updated,
    }


def secret_list_view(page: SecretPage) -> dict[str, Any]:
    """Make a ``SecretListView``."""
    shown = {"secrets": [secret_view(each) for each in page.secrets], "has_more": page.has_more}
    return shown if page.total_count is None else {**shown, "total_count": page.total_count}
