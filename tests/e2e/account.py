"""An account of the real server, spoken for with one of its API keys."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import requests

from app.services.container import Services
from tests.support.labels import new_label


class Account:
    """Calls the API over one connection.

    Attributes:
        id: The account's id.
        api_key_id: The id of the key in use.
        token: The key itself.
    """

    def __init__(self, url: str, account_id: str, api_key_id: str, token: str) -> None:
        self.url = url
        self.id = account_id
        self.api_key_id = api_key_id
        self.token = token
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def new(cls, url: str, operator: Services) -> Self:
        """Make an account and a key of it."""
        account = operator.accounts.create(new_label("an account"))
        issued = operator.api_keys.issue(account.id, name="a key")
        return cls(url, account.id, issued.id, issued.token.reveal())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        request_id: str | None = None,
    ) -> requests.Response:
        """Send one request, whatever the answer."""
        headers = {} if request_id is None else {"x-request-id": request_id}
        url = self.url + path
        return self._session.request(method, url, json=body, headers=headers, timeout=30)

    def create(
        self, name: str, value: str = "a value", *, request_id: str | None = None
    ) -> requests.Response:
        """Create a secret."""
        body = {"name": name, "value": value}
        return self.call("POST", "/v1/secrets", body, request_id=request_id)

    def names(self) -> list[str]:
        """The names of all secrets, newest first."""
        listed: dict[str, Any] = self.call("GET", "/v1/secrets?limit=5000").json()
        return [secret["name"] for secret in listed["secrets"]]

    def values(self, *names: str) -> dict[str, str]:
        """Return the values that a process with these secrets would get."""
        made = self.call("POST", "/v1/injections", {"secrets": {name: name for name in names}})
        token = made.json()["token"]
        redeemed = requests.post(
            f"{self.url}/v1/injections/redeem",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        environment: dict[str, str] = redeemed.json()["environment"]
        return environment
