"""Whole and genuine rows of gateways, found in place of those that were asked for.

An index that was edited leads from one config or token to another one, whose MAC is right.
"""

import pytest

from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.domain.gateways import refusals
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.terms import NewGatewayToken
from app.domain.gateways.tokens import IssuedGatewayToken
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.support.gateway.stored import admit
from tests.unit.app.services.misdirected import misdirected

CONFIGS = ("gateway_configs",)
TOKENS = ("gateway_tokens",)


def create(tenant: Tenant, name: str) -> GatewayConfig:
    draft = ConfigDraft(
        name=name, endpoint=f"https://{name}.example", auth=AuthMechanism(AuthType.BEARER)
    )
    return tenant.services.gateway_configs.create(tenant.caller, draft, None)


def mint(tenant: Tenant, gateway: str) -> IssuedGatewayToken:
    wanted = NewGatewayToken(gateway=gateway, secret="A")
    return tenant.services.gateway_tokens.mint(tenant.caller, "a-box", wanted, None)


@pytest.fixture
def configs(tenant: Tenant) -> tuple[GatewayConfig, GatewayConfig]:
    """Two configs of an account with a secret."""
    tenant.create("A", "value a")
    return create(tenant, "right"), create(tenant, "wrong")


@pytest.mark.parametrize("is_by_id", [True, False], ids=["by id", "by name"])
def test_a_token_is_not_minted_for_another_config_than_was_named(
    deployment: Deployment,
    tenant: Tenant,
    configs: tuple[GatewayConfig, GatewayConfig],
    is_by_id: bool,
) -> None:
    right, wrong = ((each.id if is_by_id else each.name) for each in configs)
    database = misdirected(deployment.database, CONFIGS, {right: wrong})
    astray = tenant.at(deployment.process(database=database))
    with pytest.raises(TamperedRow):
        mint(astray, right)
    assert mint(astray, wrong).config == configs[1]


def test_another_config_than_was_named_is_neither_shown_nor_changed(
    deployment: Deployment, tenant: Tenant, configs: tuple[GatewayConfig, GatewayConfig]
) -> None:
    right, wrong = (each.id for each in configs)
    database = misdirected(deployment.database, CONFIGS, {right: wrong})
    services = deployment.process(database=database)
    assert isinstance(services.gateway_configs.get(tenant.caller, right), DamagedRow)
    draft = ConfigDraft(endpoint="https://elsewhere.example")
    with pytest.raises(TamperedRow):
        services.gateway_configs.update(tenant.caller, right, draft, None)
    assert tenant.services.gateway_configs.get(tenant.caller, wrong) == configs[1]


def test_another_accounts_config_is_not_minted_for(
    deployment: Deployment, tenant: Tenant, configs: tuple[GatewayConfig, GatewayConfig]
) -> None:
    other = new_tenant(tenant.services)
    theirs = create(other, "theirs")
    found = {configs[0].id: theirs.id, tenant.caller.account_id: other.caller.account_id}
    database = misdirected(deployment.database, CONFIGS, found)
    with pytest.raises(TamperedRow):
        mint(tenant.at(deployment.process(database=database)), configs[0].id)


def test_a_token_that_leads_to_the_row_of_another_is_refused(
    deployment: Deployment, tenant: Tenant, configs: tuple[GatewayConfig, GatewayConfig]
) -> None:
    narrow, wide = mint(tenant, "right"), mint(tenant, "wrong")
    database = misdirected(deployment.database, TOKENS, {narrow.id: wide.id})
    services = deployment.process(database=database)
    with pytest.raises(refusals.TokenRefused):
        admit(services, narrow.token)
    assert isinstance(services.gateway_tokens.get(tenant.caller, narrow.id), DamagedRow)
    with pytest.raises(TamperedRow):
        services.gateway_tokens.revoke(tenant.caller, narrow.id, None)
    assert admit(services, wide.token).config_id == configs[1].id
