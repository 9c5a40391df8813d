"""The two calls of every injection."""

import requests

from tests.e2e.account import Account


def inject(account: Account, *names: str) -> dict[str, str]:
    """Prepare secrets under their own names: id and token."""
    made = account.call("POST", "/v1/injections", {"secrets": {name: name for name in names}})
    assert made.status_code == 200, made.text
    document: dict[str, str] = made.json()
    return document


def redeem(url: str, token: str, nonce: str | None = None) -> requests.Response:
    """Redeem once, whatever the answer."""
    headers = {"Authorization": f"Bearer {token}"}
    body = {} if nonce is None else {"redeem_nonce": nonce}
    return requests.post(f"{url}/v1/injections/redeem", headers=headers, json=body, timeout=30)
