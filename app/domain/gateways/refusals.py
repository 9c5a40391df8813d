"""Refusals of admissions. A message says what to change, and names no rule, origin or value."""

from typing import ClassVar

from app.domain.errors import DomainError


class GatewayKeyRefused(DomainError):
    """The credential of a gateway is missing, malformed, unknown, revoked or forged: one answer."""

    message = "Missing or invalid gateway key."


class GatewayKeyNotFound(DomainError):
    """There is no such gateway key."""

    message = "Gateway key not found."


class AdmissionRefused(DomainError):
    """A request that the gateway must not carry.

    Attributes:
        code: The error code; the gateway reports it for a running request, too.
    """

    code: ClassVar[str]


class GatewayStopped(AdmissionRefused):
    """An operator has stopped all gateway traffic."""

    code = "gateway_stopped"
    message = "The gateway is stopped by its operator."


class TokenRefused(AdmissionRefused):
    """The token is malformed, unknown, revoked or forged, or a key above it has ended."""

    code = "gateway_token_refused"
    message = "Missing or invalid gateway token. Mint another one."


class TokenExpired(AdmissionRefused):
    """The token's time is over."""

    code = "gateway_token_expired"
    message = "This gateway token has expired. Mint another one."


class SourceRefused(AdmissionRefused):
    """The token is bound to other addresses than the client's."""

    code = "gateway_source_refused"
    message = "This gateway token may not be used from this address."


class GatewayMismatch(AdmissionRefused):
    """The URL is that of another config than the token's."""

    code = "gateway_mismatch"
    message = "This gateway token is for another gateway config. Use the URL that came with it."


class ConfigGone(AdmissionRefused):
    """The token's config was deleted."""

    code = "gateway_config_gone"
    message = "The gateway config of this token was deleted. Mint a token for another one."


class ConfigChanged(AdmissionRefused):
    """The token's config was pointed elsewhere since the token was minted."""

    code = "gateway_config_changed"
    message = "The gateway config of this token has changed. Mint another token."


class SecretGone(AdmissionRefused):
    """A secret that the request needs was deleted."""

    code = "secret_gone"
    message = "A secret of this gateway token was deleted."


class RequestNotAllowed(AdmissionRefused):
    """A rule of the config or the token does not permit the request."""

    code = "request_not_allowed"
    message = "This gateway token does not permit this request."


class CredentialInQuery(RequestNotAllowed):
    """The query has a parameter in which the upstream takes a credential."""

    message = "The query has a parameter that could hold a credential. Leave it out."


class BudgetSpent(AdmissionRefused):
    """The token has made as many requests as it may in all."""

    code = "budget_spent"
    message = "This gateway token has made as many requests as it may. Mint another one."


class CredentialNotSendable(AdmissionRefused):
    """The secret holds what no header can: control characters, or too much."""

    code = "credential_not_sendable"
    message = "The secret cannot be sent in a header: it holds a line end, or is too long."
