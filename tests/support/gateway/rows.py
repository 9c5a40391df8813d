"""Rows of a gateway as the server writes them: a config, a token and a use of one account."""

from app.services.container import Services
from tests.contract.repository import rows


def add_gateway_rows(services: Services, account_id: str, api_key_id: str) -> None:
    """Store one row of each, covered by its MAC."""
    opened = services.api_keys._system_key.opened()
    config = rows.gateway_config(1, account_id).unverified
    token = rows.gateway_token(1, account_id, api_key_id=api_key_id).unverified
    use = rows.gateway_use(1, account_id).unverified
    with services.api_keys._database.writing() as work:
        work.gateway_configs.add(opened.guard(config))
        work.gateway_tokens.add(opened.guard(token))
        work.gateway_uses.add(opened.guard(use))
        work.commit()
