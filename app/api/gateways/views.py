"""Views of gateway configs, tokens and uses: never a value, never a token."""

from collections.abc import Iterable
from typing import Any

from app.domain.damage import DamagedRow
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import CustomHeader
from app.domain.gateways.rules import Rule
from app.domain.gateways.tokens import GatewayTokenView, TokenLimits, TokenPin, TokenStatus
from app.domain.gateways.uses import GatewayUse

_DAMAGED = "This config is damaged: tokens for it are refused. Delete it."


def gateway_config_view(config: GatewayConfig | DamagedRow) -> dict[str, Any]:
    """Make a ``GatewayConfigView``; it repeats nothing of a damaged row but the id."""
    if isinstance(config, DamagedRow):
        return {
            "id": config.id,
            "name": "",
            "account_id": config.account_id,
            "description": _DAMAGED,
            "endpoint": "",
            "auth_mechanism": {"type": "bearer"},
            "custom_headers": None,
            "allow": None,
            "deny": None,
            "secrets": None,
            "deny_query": [],
            "scrub": True,
            "create_time_ms": 0,
        }
    return {
        "id": config.id,
        "name": config.name,
        "account_id": None if config.is_system else config.account_id,
        "description": config.description,
        "endpoint": config.endpoint,
        "auth_mechanism": auth_view(config),
        "custom_headers": [_header_view(header) for header in config.headers],
        "allow": rules_view(config.allowed),
        "deny": rules_view(config.denied or None),
        "secrets": None if config.secrets is None else [*config.secrets.patterns],
        "deny_query": [*config.deny_query],
        "scrub": config.scrub,
        "create_time_ms": config.created_at_ms,
    }


def auth_view(config: GatewayConfig) -> dict[str, Any]:
    """Make an ``AuthMechanismEntry``."""
    shown: dict[str, Any] = {"type": config.auth.type.value}
    return shown if config.auth.key is None else {**shown, "key": config.auth.key}


def gateway_token_view(view: GatewayTokenView | DamagedRow) -> dict[str, Any]:
    """Make a ``GatewayTokenView``; it repeats nothing of a damaged row but the id."""
    if isinstance(view, DamagedRow):
        return {
            "id": view.id,
            "status": TokenStatus.DAMAGED,
            "devbox_id": "",
            "gateway_config_id": "",
            "secret_id": "",
            "secret": "",
            "api_key_id": "",
            "allow": None,
            "limits": None,
            "sources": [],
            "pin": TokenPin.NONE,
            "pinned_address": None,
            "create_time_ms": 0,
            "expires_at_ms": 0,
            "revoked_at_ms": None,
        }
    token = view.token
    return {
        "id": token.id,
        "status": view.status,
        "devbox_id": token.devbox_id,
        "gateway_config_id": token.config_id,
        "secret_id": token.secret_id,
        "secret": token.secret_name,
        "api_key_id": token.api_key_id,
        "allow": rules_view(token.allowed),
        "limits": limits_view(token.limits),
        "sources": [*token.sources],
        "pin": token.pin,
        "pinned_address": token.pinned_address,
        "create_time_ms": token.created_at_ms,
        "expires_at_ms": token.expires_at_ms,
        "revoked_at_ms": token.revoked_at_ms,
    }


def gateway_use_view(use: GatewayUse | DamagedRow) -> dict[str, Any]:
    """Make a ``GatewayUseView``; it repeats nothing of a damaged row but the id."""
    if isinstance(use, DamagedRow):
        names = ("gateway_token_id", "gateway_config_id", "secret_id", "method", "path")
        ends = ("address", "status", "bytes_in", "bytes_out", "milliseconds", "scrub_hits")
        shown = {**dict.fromkeys(names, ""), **dict.fromkeys(ends)}
        return {"id": use.id, **shown, "create_time_ms": 0}
    return {
        "id": use.id,
        "gateway_token_id": use.token_id,
        "gateway_config_id": use.config_id,
        "secret_id": use.secret_id,
        "method": use.method,
        "path": use.path,
        "address": use.address,
        "create_time_ms": use.created_at_ms,
        "status": use.status,
        "bytes_in": use.bytes_in,
        "bytes_out": use.bytes_out,
        "milliseconds": use.milliseconds,
        "scrub_hits": use.scrub_hits,
    }


def limits_view(limits: TokenLimits) -> dict[str, int | None]:
    """Make a ``TokenLimitsEntry``."""
    return {
        "requests_per_minute": limits.requests_per_minute,
        "in_flight": limits.in_flight,
        "requests": limits.requests,
    }


def _header_view(header: CustomHeader) -> dict[str, Any]:
    if header.secret_id is not None:
        return {"name": header.name, "secret": header.secret_id}
    return {"name": header.name, "value": header.value}


def rules_view(rules: Iterable[Rule] | None) -> list[dict[str, Any]] | None:
    """Make a list of ``RuleEntry``, or null for all requests."""
    if rules is None:
        return None
    return [
        {"methods": [*rule.methods], "path": rule.path} if rule.methods else {"path": rule.path}
        for rule in rules
    ]
