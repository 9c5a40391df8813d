"""``/v1/gateway-configs``: create, list, get, update and delete."""

from typing import Any

from flask import Blueprint

from app.api.gateways.config_schemas import (
    GatewayConfigCreateParameters,
    GatewayConfigListQuery,
    GatewayConfigListView,
    GatewayConfigUpdateParameters,
    GatewayConfigView,
)
from app.api.gateways.views import gateway_config_view
from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_body, read_query
from app.api.schemas.secrets import EmptyRecord
from app.domain.access.scopes import Scope

# Each view declares itself in full, also where two are alike: all of it is found in one place.
gateway_configs = Blueprint("gateway_configs", __name__)

_CREATE = GatewayConfigCreateParameters()
_UPDATE = GatewayConfigUpdateParameters()
_LIST = GatewayConfigListQuery()
_NOTHING = EmptyRecord()


def _described(operation_id: str, done: str) -> Description:
    responses = {200: (GatewayConfigView, done)}
    return Description(id=operation_id, tag="gateway configs", responses=responses)


@gateway_configs.post("/v1/gateway-configs")
@with_api_key(
    Scope.GATEWAYS_WRITE,
    _described("createGatewayConfig", "The config was created."),
    body=_CREATE,
)
def create_gateway_config() -> dict[str, Any]:
    """Create a gateway config."""
    body = read_body(_CREATE)
    config = context.services.gateway_configs.create(context.caller, body.data, body.retry)
    return gateway_config_view(config)


@gateway_configs.get("/v1/gateway-configs")
@with_api_key(
    Scope.GATEWAYS_READ,
    Description(
        id="listGatewayConfigs",
        tag="gateway configs",
        responses={200: (GatewayConfigListView, "One page of gateway configs.")},
    ),
    query=_LIST,
)
def list_gateway_configs() -> dict[str, Any]:
    """List the account's gateway configs, newest first, and those of the system."""
    query = read_query(_LIST)
    page = context.services.gateway_configs.list(
        context.caller,
        query.wanted,
        query.limit,
        query.starting_after,
        with_total=query.include_total_count,
    )
    shown: dict[str, Any] = {
        "gateway_configs": [gateway_config_view(each) for each in page.configs],
        "has_more": page.has_more,
    }
    return shown if page.total_count is None else {**shown, "total_count": page.total_count}


@gateway_configs.get("/v1/gateway-configs/<config_id>")
@with_api_key(
    Scope.GATEWAYS_READ,
    _described("getGatewayConfig", "The config."),
)
def get_gateway_config(config_id: str) -> dict[str, Any]:
    """Get a gateway config by its id."""
    return gateway_config_view(context.services.gateway_configs.get(context.caller, config_id))


@gateway_configs.post("/v1/gateway-configs/<config_id>")
@with_api_key(
    Scope.GATEWAYS_WRITE,
    _described("updateGatewayConfig", "The config was changed."),
    body=_UPDATE,
)
def update_gateway_config(config_id: str) -> dict[str, Any]:
    """Change a gateway config. Tokens for it are refused once it points elsewhere."""
    body = read_body(_UPDATE)
    config = context.services.gateway_configs.update(
        context.caller, config_id, body.data, body.retry
    )
    return gateway_config_view(config)


@gateway_configs.post("/v1/gateway-configs/<config_id>/delete")
@with_api_key(
    Scope.GATEWAYS_WRITE,
    _described("deleteGatewayConfig", "What the config was."),
    body=_NOTHING,
)
def delete_gateway_config(config_id: str) -> dict[str, Any]:
    """Delete a gateway config for good. Its tokens are refused from then on."""
    body = read_body(_NOTHING)
    deleted = context.services.gateway_configs.delete(context.caller, config_id, body.retry)
    return gateway_config_view(deleted)
