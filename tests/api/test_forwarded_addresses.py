"""Where a redemption came from: what a proxy says counts only where the operator says so."""

from dataclasses import replace

import pytest

from app.factory import create_app
from tests.api.deployment import Account, Client

FORGED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "127.0.0.1"), (1, "198.51.100.7"), (2, "203.0.113.9")]
)
def test_as_many_proxies_are_believed_as_the_setting_says(
    account: Account, proxies: int, address: str
) -> None:
    settings = replace(account.deployment.settings, trusted_proxies=proxies)
    app = create_app(settings)
    client = Client(app, account.token())
    client.create("API_TOKEN")
    made = client.post("/v1/injections", json={"secrets": {"TOKEN": "API_TOKEN"}}).get_json()

    Client(app, made["token"]).post("/v1/injections/redeem", headers=FORGED)

    redeemed = client.get(f"/v1/injections/{made['id']}").get_json()
    assert redeemed["redeemed_from"] == address
