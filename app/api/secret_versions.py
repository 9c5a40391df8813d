"""``/v1/secrets/…/versions`` and ``rollback``: the old values of secrets, by name and by id."""

import re
from typing import Any

from flask import Blueprint

from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_body
from app.api.schemas.secret_versions import (
    SecretRollbackParameters,
    SecretRollbackView,
    SecretVersionListView,
    SecretVersionsDeletedView,
)
from app.api.schemas.secrets import EmptyRecord
from app.domain.access.scopes import Scope
from app.domain.secret_versions import SecretVersionNotFound
from app.domain.secrets import SecretRef

secret_versions = Blueprint("secret_versions", __name__)

_ROLLBACK = SecretRollbackParameters()
_NOTHING = EmptyRecord()
_VERSION = re.compile("[1-9][0-9]{0,17}")


def _listing(operation_id: str) -> Description:
    responses = {200: (SecretVersionListView, "The versions, as they are stored.")}
    return Description(id=operation_id, tag="secrets", responses=responses)


def _rolling_back(operation_id: str) -> Description:
    responses = {200: (SecretRollbackView, "The old value is the current one.")}
    return Description(id=operation_id, tag="secrets", responses=responses)


def _deleting(operation_id: str) -> Description:
    responses = {200: (SecretVersionsDeletedView, "Old values were deleted for good.")}
    return Description(id=operation_id, tag="secrets", responses=responses)


@secret_versions.get("/v1/secrets/<name>/versions")
@with_api_key(Scope.SECRETS_READ, _listing("listSecretVersions"))
def list_versions(name: str) -> dict[str, Any]:
    """List the versions of a secret, the current one first."""
    return _list(SecretRef.by_name(name))


@secret_versions.get("/v1/secrets/id/<secret_id:secret_id>/versions")
@with_api_key(Scope.SECRETS_READ, _listing("listSecretVersionsById"))
def list_versions_by_id(secret_id: str) -> dict[str, Any]:
    """List the versions of a secret, the current one first, by its id."""
    return _list(SecretRef.by_id(secret_id))


@secret_versions.post("/v1/secrets/<name>/rollback")
@with_api_key(Scope.SECRETS_WRITE, _rolling_back("rollBackSecret"), body=_ROLLBACK)
def roll_back(name: str) -> dict[str, Any]:
    """Make the value of an old version the current one."""
    return _roll_back(SecretRef.by_name(name))


@secret_versions.post("/v1/secrets/id/<secret_id:secret_id>/rollback")
@with_api_key(Scope.SECRETS_WRITE, _rolling_back("rollBackSecretById"), body=_ROLLBACK)
def roll_back_by_id(secret_id: str) -> dict[str, Any]:
    """Make the value of an old version the current one, by the secret's id."""
    return _roll_back(SecretRef.by_id(secret_id))


@secret_versions.post("/v1/secrets/<name>/versions/<version>/delete")
@with_api_key(Scope.SECRETS_WRITE, _deleting("deleteSecretVersion"), body=_NOTHING)
def delete_version(name: str, version: str) -> dict[str, Any]:
    """Delete one old version of a secret for good."""
    return _delete(SecretRef.by_name(name), version)


@secret_versions.post("/v1/secrets/id/<secret_id:secret_id>/versions/<version>/delete")
@with_api_key(Scope.SECRETS_WRITE, _deleting("deleteSecretVersionById"), body=_NOTHING)
def delete_version_by_id(secret_id: str, version: str) -> dict[str, Any]:
    """Delete one old version of a secret for good, by the secret's id."""
    return _delete(SecretRef.by_id(secret_id), version)


@secret_versions.post("/v1/secrets/<name>/versions/purge")
@with_api_key(Scope.SECRETS_WRITE, _deleting("purgeSecretVersions"), body=_NOTHING)
def purge_versions(name: str) -> dict[str, Any]:
    """Delete all old versions of a secret for good."""
    return _purge(SecretRef.by_name(name))


@secret_versions.post("/v1/secrets/id/<secret_id:secret_id>/versions/purge")
@with_api_key(Scope.SECRETS_WRITE, _deleting("purgeSecretVersionsById"), body=_NOTHING)
def purge_versions_by_id(secret_id: str) -> dict[str, Any]:
    """Delete all old versions of a secret for good, by its id."""
    return _purge(SecretRef.by_id(secret_id))


def _list(ref: SecretRef) -> dict[str, Any]:
    found = context.services.secret_versions.list(context.caller, ref)
    return {"versions": [each._asdict() for each in found]}


def _roll_back(ref: SecretRef) -> dict[str, Any]:
    body = read_body(_ROLLBACK)
    versions = context.services.secret_versions
    done = versions.roll_back(context.caller, ref, body.data, body.retry)
    return done._asdict()


def _delete(ref: SecretRef, version: str) -> dict[str, Any]:
    body = read_body(_NOTHING)
    if not _VERSION.fullmatch(version):
        raise SecretVersionNotFound
    versions = context.services.secret_versions
    return {"deleted": versions.delete(context.caller, ref, int(version), body.retry)}


def _purge(ref: SecretRef) -> dict[str, Any]:
    body = read_body(_NOTHING)
    return {"deleted": context.services.secret_versions.purge(context.caller, ref, body.retry)}
