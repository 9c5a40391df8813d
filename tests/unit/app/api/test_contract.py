"""The contract stands unchanged in our OpenAPI document, and what ours adds is listed here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.api_deployment import ApiDeployment, body_of

CONTRACT = Path(__file__).parents[3] / "contract" / "runloop-secrets.openapi.yaml"

# Each document uses its own words and examples, and says of itself where it lives.
_WORDS = {"description", "example", "summary", "info", "servers"}

_ADDED_TO_ALL = {400, 401, 403, 500, 503}
_ADDED_SCHEMAS = {
    "ApiKeyCreateParameters",
    "ApiKeyCreatedView",
    "AuditEventListView",
    "AuditEventView",
    "AuthMechanismEntry",
    "CustomHeaderEntry",
    "ErrorView",
    "GatewayConfigCreateParameters",
    "GatewayConfigListView",
    "GatewayConfigUpdateParameters",
    "GatewayConfigView",
    "GatewayEntry",
    "GatewayTokenCreateParameters",
    "GatewayTokenCreatedView",
    "GatewayTokenListView",
    "GatewayTokenView",
    "GatewayTokensRevokeParameters",
    "GatewayTokensRevokedView",
    "GatewayUseListView",
    "GatewayUseView",
    "HealthView",
    "InjectionCreateParameters",
    "InjectionCreatedView",
    "InjectionListView",
    "InjectionView",
    "RedeemParameters",
    "RedeemedView",
    "ReadinessView",
    "RestrictedKeyCreateParameters",
    "RestrictedKeyCreatedView",
    "RuleEntry",
    "ScopeEntry",
    "SecretRollbackParameters",
    "SecretRollbackView",
    "SecretVersionListView",
    "SecretVersionView",
    "SecretVersionsDeletedView",
    "TokenLimitsEntry",
}
ADDED = {
    "paths /healthz",
    "paths /readyz",
    "paths /v1/apikeys",
    "paths /v1/devboxes/{devbox_id}/create_gateway_token",
    "paths /v1/audit-events",
    "paths /v1/gateway-configs",
    "paths /v1/gateway-configs/{config_id}",
    "paths /v1/gateway-configs/{config_id}/delete",
    "paths /v1/gateway-tokens",
    "paths /v1/gateway-tokens/revoke",
    "paths /v1/gateway-tokens/{token_id}",
    "paths /v1/gateway-tokens/{token_id}/revoke",
    "paths /v1/gateway-uses",
    "paths /v1/injections",
    "paths /v1/injections/redeem",
    "paths /v1/injections/{injection_id}",
    "paths /v1/injections/{injection_id}/revoke",
    "paths /v1/restricted_keys",
    "paths /v1/secrets/id/{secret_id}",
    "paths /v1/secrets/id/{secret_id}/update",
    "paths /v1/secrets/id/{secret_id}/delete",
    *(
        f"paths /v1/secrets/{secret}/{path}"
        for secret in ("{name}", "id/{secret_id}")
        for path in ("rollback", "versions", "versions/purge", "versions/{version}/delete")
    ),
    *(f"components schemas {name}" for name in _ADDED_SCHEMAS),
    "components securitySchemes injectionToken",
    "tags audit trail",
    "tags api keys",
    "tags gateway configs",
    "tags gateway tokens",
    "tags health",
    "tags injections",
    *(
        f"paths /v1/secrets get parameters query {name}"
        for name in ("starting_after", "name", "search", "include_total_count")
    ),
    # Errors that the contract leaves out.
    "paths /v1/secrets get responses 400",
    "paths /v1/secrets get responses 503",
    "paths /v1/secrets post responses 413",
    "paths /v1/secrets post responses 503",
    *(f"paths /v1/secrets/{{name}} get responses {status}" for status in _ADDED_TO_ALL),
    "paths /v1/secrets/{name} post responses 413",
    "paths /v1/secrets/{name} post responses 503",
    "paths /v1/secrets/{name}/delete post responses 400",
    "paths /v1/secrets/{name}/delete post responses 413",
    "paths /v1/secrets/{name}/delete post responses 503",
    # The contract leaves open what an error looks like.
    *(f"paths /v1/secrets get responses {status} content" for status in (401, 403, 500)),
    *(f"paths /v1/secrets post responses {status} content" for status in (400, 401, 403, 500)),
    "paths /v1/secrets/{name} get responses 404 content",
    *(
        f"paths /v1/secrets/{{name}} post responses {status} content"
        for status in (400, 401, 403, 404, 500)
    ),
    *(
        f"paths /v1/secrets/{{name}}/delete post responses {status} content"
        for status in (401, 403, 404, 500)
    ),
}


@pytest.fixture(scope="module")
def ours(deployment: ApiDeployment) -> Any:
    return _comparable(body_of(deployment.anyone().get("/openapi.json")))


@pytest.fixture(scope="module")
def contract() -> Any:
    return _comparable(yaml.safe_load(CONTRACT.read_text()))


def test_everything_in_the_contract_stands_unchanged(contract: Any, ours: Any) -> None:
    assert list(_missing(contract, ours)) == []


def test_what_ours_adds_is_listed(contract: Any, ours: Any) -> None:
    assert set(_missing(ours, contract)) == ADDED


def test_the_comparison_sees_a_changed_word(contract: Any) -> None:
    changed = _comparable(yaml.safe_load(CONTRACT.read_text().replace("int32", "int64")))
    assert set(_missing(contract, changed)) == {
        "paths /v1/secrets get parameters query limit schema format",
        "components schemas SecretListView properties total_count format",
    }


def _comparable(document: Any) -> Any:
    """Without words; lists whose order says nothing as objects."""
    if isinstance(document, dict):
        return {
            str(key): _comparable(_keyed(str(key), value))
            for key, value in document.items()
            if key not in _WORDS
        }
    return document


def _keyed(key: str, value: Any) -> Any:
    if key == "parameters":
        found: dict[str, Any] = {}
        for parameter in value:
            found.setdefault(parameter["in"], {})[parameter["name"]] = parameter
        return found
    if key == "required" and isinstance(value, list):
        return dict.fromkeys(value, "required")
    if key == "tags" and isinstance(value[0], dict):
        return {tag["name"]: tag for tag in value}
    return value


def _missing(wanted: Any, found: Any, at: str = "") -> Iterator[str]:
    """Yield the places at which ``found`` differs from ``wanted``."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key in found:
                yield from _missing(value, found[key], f"{at} {key}".strip())
            else:
                yield f"{at} {key}".strip()
    elif wanted != found:
        yield at
