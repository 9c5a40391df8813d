"""Gateway tokens: minted for a box, listed, revoked; and ``/v1/gateway-uses``, what they did."""

from typing import Any

from flask import Blueprint
from marshmallow import Schema

from app.api.gateways.token_schemas import (
    GatewayTokenCreatedView,
    GatewayTokenCreateParameters,
    GatewayTokenListQuery,
    GatewayTokenListView,
    GatewayTokensRevokedView,
    GatewayTokensRevokeParameters,
    GatewayTokenView,
    GatewayUseListQuery,
    GatewayUseListView,
)
from app.api.gateways.views import auth_view, gateway_token_view, gateway_use_view
from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_body, read_query
from app.api.schemas.secrets import EmptyRecord
from app.domain.access.scopes import Scope

# Each view declares itself in full, also where two are alike: all of it is found in one place.
gateway_tokens = Blueprint("gateway_tokens", __name__)

_CREATE = GatewayTokenCreateParameters()
_LIST = GatewayTokenListQuery()
_REVOKE = GatewayTokensRevokeParameters()
_USES = GatewayUseListQuery()
_NOTHING = EmptyRecord()


def _described(operation_id: str, shown: type[Schema], returned: str) -> Description:
    return Description(id=operation_id, tag="gateway tokens", responses={200: (shown, returned)})


@gateway_tokens.post("/v1/devboxes/<devbox_id>/create_gateway_token")
@with_api_key(
    Scope.GATEWAYS_USE,
    _described("createGatewayToken", GatewayTokenCreatedView, "The token, shown this once."),
    body=_CREATE,
)
def create_gateway_token(devbox_id: str) -> dict[str, Any]:
    """Mint a token with which a box uses a secret that it does not see."""
    body = read_body(_CREATE)
    issued = context.services.gateway_tokens.mint(context.caller, devbox_id, body.data, body.retry)
    return {
        "token": issued.token.reveal(),
        "url": issued.url,
        "endpoint": issued.config.endpoint,
        "auth_mechanism": auth_view(issued.config),
        "devbox_id": issued.devbox_id,
        "gateway_config_id": issued.config.id,
        "id": issued.id,
        "expires_at_ms": issued.expires_at_ms,
    }


@gateway_tokens.get("/v1/gateway-tokens")
@with_api_key(
    Scope.GATEWAYS_USE,
    _described("listGatewayTokens", GatewayTokenListView, "One page of gateway tokens."),
    query=_LIST,
)
def list_gateway_tokens() -> dict[str, Any]:
    """List the account's gateway tokens, newest first."""
    query = read_query(_LIST)
    page = context.services.gateway_tokens.list(
        context.caller, query.wanted, query.limit, query.starting_after
    )
    return {
        "gateway_tokens": [gateway_token_view(each) for each in page.tokens],
        "has_more": page.has_more,
    }


@gateway_tokens.get("/v1/gateway-tokens/<token_id>")
@with_api_key(
    Scope.GATEWAYS_USE,
    _described("getGatewayToken", GatewayTokenView, "The token, without its secret part."),
)
def get_gateway_token(token_id: str) -> dict[str, Any]:
    """Get a gateway token."""
    return gateway_token_view(context.services.gateway_tokens.get(context.caller, token_id))


@gateway_tokens.post("/v1/gateway-tokens/<token_id>/revoke")
@with_api_key(
    Scope.GATEWAYS_USE,
    _described("revokeGatewayToken", GatewayTokenView, "What became of the token."),
    body=_NOTHING,
)
def revoke_gateway_token(token_id: str) -> dict[str, Any]:
    """Revoke a gateway token."""
    body = read_body(_NOTHING)
    view = context.services.gateway_tokens.revoke(context.caller, token_id, body.retry)
    return gateway_token_view(view)


@gateway_tokens.post("/v1/gateway-tokens/revoke")
@with_api_key(
    Scope.GATEWAYS_USE,
    _described("revokeGatewayTokens", GatewayTokensRevokedView, "The number of revoked tokens."),
    body=_REVOKE,
)
def revoke_gateway_tokens() -> dict[str, Any]:
    """Revoke all gateway tokens of a box."""
    body = read_body(_REVOKE)
    revoked = context.services.gateway_tokens.revoke_box(context.caller, body.data, body.retry)
    return {"revoked": revoked}


@gateway_tokens.get("/v1/gateway-uses")
@with_api_key(
    Scope.GATEWAYS_READ,
    _described("listGatewayUses", GatewayUseListView, "One page of uses."),
    query=_USES,
)
def list_gateway_uses() -> dict[str, Any]:
    """List the requests that gateway tokens were used for, newest first."""
    query = read_query(_USES)
    page = context.services.gateway_use_list.list(
        context.caller, query.gateway_token_id, query.limit, query.starting_after
    )
    return {
        "gateway_uses": [gateway_use_view(each) for each in page.uses],
        "has_more": page.has_more,
    }
