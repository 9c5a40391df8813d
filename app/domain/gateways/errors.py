"""Refusals about gateway configs and gateway tokens; ``refusals`` has those of a request."""

from app.domain.errors import DomainError
from app.domain.gateways.tokens import MAX_LIVE_TOKENS


class GatewayNotConfigured(DomainError):
    """The operator runs no gateway, so a token could not be used."""

    message = "This server has no gateway: its operator sets STRONGROOM_GATEWAY_URL to have one."


class GatewayConfigNotFound(DomainError):
    """The account has no such gateway config; another account's is no different."""

    message = "Gateway config not found."


class GatewayConfigNameExists(DomainError):
    """The account, or the system, has a gateway config of this name."""

    message = "There is a gateway config of this name already; names are unique."


class GatewayConfigReadOnly(DomainError):
    """The gateway config is one of the system's."""

    message = "This gateway config belongs to the system and cannot be changed."


class SecretNotForGateway(DomainError):
    """The gateway config lists the secrets that may be used with it, and this is none of them."""

    message = "This gateway config may not be used with this secret."


class GatewayTokenNotFound(DomainError):
    """The account has no such gateway token."""

    message = "Gateway token not found."


class GatewayTokenLimitReached(DomainError):
    """The API key has as many live gateway tokens as a key may have. Revoking some helps."""

    message = f"This API key has reached its limit of {MAX_LIVE_TOKENS} live gateway tokens."
