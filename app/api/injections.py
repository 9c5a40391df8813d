"""``/v1/injections``: prepare secrets for one process, watch and revoke, redeem once."""

from typing import Any

from flask import Blueprint, Response

from app.api.http.authentication import injection_token
from app.api.http.client_address import client_address
from app.api.http.context import caller, services
from app.api.http.endpoint import Description, with_api_key, with_injection_token
from app.api.http.request_body import read_body, read_query
from app.api.http.responses import answer
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

injections = Blueprint("injections", __name__)

_CREATE = InjectionCreateParameters()
_LIST = InjectionListQuery()
_REDEEM = RedeemParameters()
_NOTHING = EmptyRecord()
_TAG = "injections"
_REDEEM_BYTES = 4096  # parsed before the token is verified


@injections.post("/v1/injections")
@with_api_key(
    Scope.SECRETS_INJECT,
    Description(
        id="createInjection",
        tag=_TAG,
        summary="Prepare secrets for one starting process.",
        gives={200: (InjectionCreatedView, "The injection, and its token, shown this once.")},
    ),
    body=_CREATE,
)
def create_injection() -> Response:
    """Prepare secrets for one process."""
    sent = read_body(_CREATE)
    wanted = sent.data
    issued = services().injections.create(caller(), wanted.secrets, wanted.ttl_seconds, sent.retry)
    return answer(
        {
            "id": issued.id,
            "token": issued.token.reveal(),
            "expires_at_ms": issued.expires_at_ms,
        }
    )


@injections.post("/v1/injections/redeem")
@with_injection_token(
    Description(
        id="redeemInjection",
        tag=_TAG,
        summary="Redeem an injection, once, with its token.",
        gives={200: (RedeemedView, "The current values.")},
    ),
    body=_REDEEM,
)
def redeem_injection() -> Response:
    """The values of an injection."""
    credential = injection_token()
    sent = read_body(_REDEEM, at_most=_REDEEM_BYTES)
    redeemed = services().redemption.redeem(credential, sent.data, client_address())
    return answer({"environment": {name: value.reveal() for name, value in redeemed.items()}})


@injections.get("/v1/injections")
@with_api_key(
    Scope.SECRETS_INJECT,
    Description(
        id="listInjections",
        tag=_TAG,
        summary="List the account's injections, newest first.",
        gives={200: (InjectionListView, "One page of injections.")},
    ),
    query=_LIST,
)
def list_injections() -> Response:
    """One page of the account's injections."""
    sent = read_query(_LIST)
    page = services().injections.list(caller(), sent.limit, sent.starting_after)
    return answer(
        {
            "injections": [injection_view(each) for each in page.injections],
            "has_more": page.has_more,
        }
    )


@injections.get("/v1/injections/<injection_id>")
@with_api_key(
    Scope.SECRETS_INJECT,
    Description(
        id="getInjection",
        tag=_TAG,
        summary="Get an injection.",
        gives={200: (InjectionView, "The injection.")},
    ),
)
def get_injection(injection_id: str) -> Response:
    """One injection."""
    return answer(injection_view(services().injections.look_up(caller(), injection_id)))


@injections.post("/v1/injections/<injection_id>/revoke")
@with_api_key(
    Scope.SECRETS_INJECT,
    Description(
        id="revokeInjection",
        tag=_TAG,
        summary="Kill an injection's token.",
        gives={200: (InjectionView, "What became of the injection.")},
    ),
    body=_NOTHING,
)
def revoke_injection(injection_id: str) -> Response:
    """Kill an injection's token."""
    sent = read_body(_NOTHING)
    return answer(injection_view(services().injections.revoke(caller(), injection_id, sent.retry)))


def injection_view(view: domain.InjectionView | DamagedRow) -> dict[str, Any]:
    """An injection as ``InjectionView`` has it; nothing that a damaged row says is repeated."""
    if isinstance(view, DamagedRow):
        return {
            "id": view.id,
            "status": domain.InjectionStatus.DAMAGED,
            "secrets": {},
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
        "create_time_ms": injection.created_at_ms,
        "expires_at_ms": injection.expires_at_ms,
        "redeemed_at_ms": injection.redeemed_at_ms,
        "redeemed_from": injection.redeemed_from,
    }
