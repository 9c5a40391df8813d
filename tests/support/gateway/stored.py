"""Gateway configs and tokens of a deployment, stored as the server stores them."""

from dataclasses import dataclass
from typing import Any

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import Token
from app.domain.gateways.admissions import AdmissionRequest, Admitted
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import (
    AuthMechanism,
    AuthType,
    CustomHeader,
    dump_headers,
)
from app.domain.gateways.tokens import (
    GATEWAY_TOKEN_PREFIX,
    GATEWAY_TOKENS,
    GatewayToken,
    TokenLimits,
    TokenPin,
    TokenState,
)
from app.domain.ids import GATEWAY_CONFIG, GATEWAY_TOKEN, new_id
from app.domain.redaction import Redacted
from app.services.container import Services
from tests.support.deployment import ADDRESS, Tenant

DAY_MS = 24 * 60 * 60 * 1000


def opened(services: Services) -> OpenedSystemKey:
    """The system key of one process, which signs rows."""
    return services.gateway_keys._system_key.opened()


@dataclass(frozen=True)
class Minted:
    """A stored token, with the text that an agent presents."""

    row: GatewayToken
    token: Token

    @property
    def name(self) -> tuple[str, str]:
        return self.row.account_id, self.row.id


def store_config(
    tenant: Tenant,
    endpoint: str = "https://api.example.com",
    auth: AuthMechanism | None = None,
    headers: tuple[CustomHeader, ...] = (),
    **changes: Any,
) -> GatewayConfig:
    """Store a config of the tenant."""
    services, now_ms = tenant.services, tenant.services.gateway_keys._clock()
    columns: dict[str, Any] = {
        "account_id": tenant.caller.account_id,
        "id": (config_id := new_id(GATEWAY_CONFIG)),
        "name": config_id.lower().replace("gwc_", "config "),
        "description": None,
        "endpoint": endpoint,
        "auth": auth or AuthMechanism(AuthType.BEARER),
        "custom_headers": dump_headers(headers),
        "allow": None,
        "deny": None,
        "secrets": None,
        "deny_query": (),
        "scrub": True,
        "version": 1,
        "created_at_ms": now_ms,
        "updated_at_ms": now_ms,
    }
    config = GatewayConfig(**columns | changes)
    with services.gateway_keys._database.writing() as work:
        work.gateway_configs.add(opened(services).guard(config))
        work.commit()
    return config


def replace_config(tenant: Tenant, config: GatewayConfig) -> None:
    """Store a changed config in the place of the one of its id."""
    with tenant.services.gateway_keys._database.writing() as work:
        work.gateway_configs.replace(opened(tenant.services).guard(config))
        work.commit()


def store_token(tenant: Tenant, config: GatewayConfig, secret: str, **changes: Any) -> Minted:
    """Store a token of the tenant for one of its secrets."""
    services, account_id = tenant.services, tenant.caller.account_id
    key, now_ms = opened(services), services.gateway_keys._clock()
    with services.gateway_keys._database.reading() as repository:
        (found,) = repository.secrets.find(account_id, [secret])
    token_id = new_id(GATEWAY_TOKEN)
    token = GATEWAY_TOKENS.mint(GATEWAY_TOKEN_PREFIX, account_id, token_id)
    columns: dict[str, Any] = {
        "account_id": account_id,
        "id": token_id,
        "api_key_id": tenant.caller.api_key_id,
        "injection_id": None,
        "config_id": config.id,
        "pinned": config.pin,
        "secret_id": found.id,
        "secret_name": secret,
        "devbox_id": "dbx_1",
        "token_digest": key.digest(Purpose.GATEWAY_TOKEN, token.reveal().encode()),
        "allow": None,
        "limits": TokenLimits(),
        "sources": (),
        "pin": TokenPin.NONE,
        "pinned_address": None,
        "state": TokenState.LIVE,
        "used": 0,
        "created_at_ms": now_ms,
        "expires_at_ms": now_ms + DAY_MS,
        "revoked_at_ms": None,
    }
    row = GatewayToken(**columns | changes)
    with services.gateway_keys._database.writing() as work:
        work.gateway_tokens.add(key.guard(row))
        work.commit()
    return Minted(row, token)


def admit(services: Services, token: Redacted, **changes: Any) -> Admitted:
    """Ask for the admission of one request."""
    asked: dict[str, Any] = {
        "token": token,
        "config_id": None,
        "method": "POST",
        "path": "/v1/messages",
        "query_names": (),
        "address": ADDRESS,
        "is_upgrade": False,
    }
    return services.admissions.admit(AdmissionRequest(**asked | changes))
