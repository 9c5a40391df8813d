"""``/v1/injections``: prepare secrets for one process, list, revoke, and redeem once."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from marshmallow import Schema

from app.api.gateways.views import limits_view, rules_view
from app.api.http.admission import bearer_token
from app.api.http.client_address import client_address
from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key, with_injection_token
from app.api.http.request_body import read_body, read_query
from app.api.schemas.errors import ErrorView
from app.api.schemas.injections import (
    InjectionCreatedView,
    InjectionCreateParameters,
    InjectionListQuery,
    InjectionListView,
    InjectionView,
    RedeemedView,
    RedeemParameters,
)
from app.api.schemas.secrets import EmptyRecord
from app.domain import injections as domain
from app.domain.access.scopes import Scope
from app.domain.damage import DamagedRow
from app.domain.errors import InjectionRefused
from app.domain.gateways.tokens import TokenLimits

# Each view declares itself in full, also where two are alike: all of it is found in one place.
injections = Blueprint("injections", __name__)

_CREATE = InjectionCreateParameters()
_LIST = InjectionListQuery()
_REDEEM = RedeemParameters()
_NOTHING = EmptyRecord()
_REDEEM_BYTES = 4096  # parsed before the token is verified


def _described(
    operation_id: str,
    response: type[Schema],
    returned: str,
    errors: Mapping[int, tuple[type[Schema], str]] | None = None,
) -> Description:
    responses = {200: (response, returned), **(errors or {})}
    return Description(id=operation_id, tag="injections", responses=responses)


@injections.post("/v1/injections")
@with_api_key(
    Scope.SECRETS_INJECT,
    _described(
        "createInjection",
        InjectionCreatedView,
        "The injection, and its token, shown this once.",
        {404: (ErrorView, "A secret or a gateway config does not exist.")},
    ),
    body=_CREATE,
)
def create_injection() -> dict[str, Any]:
    """Prepare secrets for one starting process."""
    body = read_body(_CREATE)
    issued = context.services.injections.create(
        context.caller, body.data.secrets, body.data.ttl_seconds, body.retry, body.data.gateways
    )
    return {
        "id": issued.id,
        "token": issued.token.reveal(),
        "expires_at_ms": issued.expires_at_ms,
    }


@injections.post("/v1/injections/redeem")
@with_injection_token(
    _described("redeemInjection", RedeemedView, "The current values."),
    body=_REDEEM,
)
def redeem_injection() -> dict[str, Any]:
    """Redeem an injection, once, with its token."""
    token = bearer_token(InjectionRefused)
    body = read_body(_REDEEM, limit=_REDEEM_BYTES)
    redeemed = context.services.redemption.redeem(
        token, body.data, client_address(), context.request_id
    )
    environment = {variable: value.reveal() for variable, value in redeemed.items()}
    return {"environment": environment}


@injections.get("/v1/injections")
@with_api_key(
    Scope.SECRETS_INJECT,
    _described("listInjections", InjectionListView, "One page of injections."),
    query=_LIST,
)
def list_injections() -> dict[str, Any]:
    """List the account's injections, newest first."""
    query = read_query(_LIST)
    page = context.services.injections.list(context.caller, query.limit, query.starting_after)
    return {
        "injections": [injection_view(each) for each in page.injections],
        "has_more": page.has_more,
    }


@injections.get("/v1/injections/<injection_id>")
@with_api_key(
    Scope.SECRETS_INJECT,
    _described("getInjection", InjectionView, "The injection."),
)
def get_injection(injection_id: str) -> dict[str, Any]:
    """Get an injection."""
    view = context.services.injections.look_up(context.caller, injection_id)
    return injection_view(view)


@injections.post("/v1/injections/<injection_id>/revoke")
@with_api_key(
    Scope.SECRETS_INJECT,
    _described("revokeInjection", InjectionView, "What became of the injection."),
    body=_NOTHING,
)
def revoke_injection(injection_id: str) -> dict[str, Any]:
    """Kill an injection's token."""
    body = read_body(_NOTHING)
    view = context.services.injections.revoke(context.caller, injection_id, body.retry)
    return injection_view(view)


def injection_view(view: domain.InjectionView | DamagedRow) -> dict[str, Any]:
    """Make an ``InjectionView``; it repeats nothing of a damaged row but the id."""
    if isinstance(view, DamagedRow):
        return {
            "id": view.id,
            "status": domain.InjectionStatus.DAMAGED,
            "secrets": {},
            "gateways": {},
            "create_time_ms": 0,
            "expires_at_ms": 0,
            "redeemed_at_ms": None,
            "redeemed_from": None,
        }
    injection = view.injection
    return {
        "id": injection.id,
        "status": view.status,
        "secrets": {bound.variable: bound.secret_name for bound in injection.secrets},
        "gateways": {bound.prefix: _gateway_view(bound) for bound in injection.gateways},
        "create_time_ms": injection.created_at_ms,
        "expires_at_ms": injection.expires_at_ms,
        "redeemed_at_ms": injection.redeemed_at_ms,
        "redeemed_from": injection.redeemed_from,
    }


def _gateway_view(bound: domain.BoundGateway) -> dict[str, Any]:
    terms = bound.loaded_terms
    shown: dict[str, Any] = {"gateway": bound.config_id, "secret": bound.secret_name}
    if terms.ttl_seconds is not None:
        shown["ttl_seconds"] = terms.ttl_seconds
    if terms.allow is not None:
        shown["allow"] = rules_view(terms.allow)
    if terms.limits != TokenLimits():
        shown["limits"] = limits_view(terms.limits)
    return shown
