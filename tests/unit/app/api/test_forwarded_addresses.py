"""The address of a redemption: a proxy's header counts only where the operator set it."""

from contextlib import closing
from dataclasses import replace

import pytest

from app.factory import create_app
from config.listening import parse_addresses
from tests.support.api_deployment import Account, Client


def redeemed_from(
    account: Account,
    proxies: int,
    said: str,
    peer: str = "127.0.0.1",
    bind: str = "127.0.0.1:8080",
) -> str | None:
    """The stored address of a redemption through proxies."""
    settings = account.deployment.settings
    chosen = replace(settings, trusted_proxies=proxies, bind=parse_addresses(bind))
    with closing(create_app(chosen)) as app:
        client = Client(app, account.token())
        client.post("/v1/secrets", json={"name": "API_TOKEN", "value": "a value"})
        made = client.post("/v1/injections", json={"secrets": {"TOKEN": "API_TOKEN"}}).get_json()
        redeemed = Client(app, made["token"]).post(
            "/v1/injections/redeem",
            headers={"X-Forwarded-For": said},
            environ_overrides={"REMOTE_ADDR": peer},
        )
        assert redeemed.status_code == 200
        address: str | None = client.get(f"/v1/injections/{made['id']}").get_json()["redeemed_from"]
        return address


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "127.0.0.1"), (1, "198.51.100.7"), (2, "203.0.113.9")]
)
def test_as_many_proxies_are_believed_as_the_setting_says(
    account: Account, proxies: int, address: str
) -> None:
    assert redeemed_from(account, proxies, "203.0.113.9, 198.51.100.7") == address


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_an_address_is_stored_in_its_canonical_form(
    account: Account, said: str, address: str
) -> None:
    assert redeemed_from(account, 1, said) == address


@pytest.mark.parametrize(
    "said",
    ["<b>anything</b>", "fe80::1%anything", "198.51.100.7:80", "unknown", "1" * 5000, "01.2.3.4"],
)
def test_what_is_no_address_is_not_stored(account: Account, said: str) -> None:
    assert redeemed_from(account, 1, said) == "127.0.0.1"


def test_over_a_unix_socket_nobody_is_known_but_whom_the_proxy_names(account: Account) -> None:
    assert redeemed_from(account, 1, "anything", peer="") is None


def test_over_a_unix_socket_the_proxy_is_believed(account: Account) -> None:
    assert redeemed_from(account, 1, "198.51.100.7", peer="") == "198.51.100.7"


def test_where_the_proxy_has_a_unix_socket_nobody_else_is_believed(account: Account) -> None:
    both = "unix:/run/strongroom/server.sock 127.0.0.1:8080"
    assert redeemed_from(account, 1, "198.51.100.7", bind=both) == "127.0.0.1"
    assert redeemed_from(account, 1, "198.51.100.8", peer="", bind=both) == "198.51.100.8"
