"""Requests to Vault that end by one deadline and are repeated where that is safe and may help."""

import time
from collections.abc import Mapping
from typing import Any

from backends.calls.bounded_http import BoundedHttp, Response
from backends.calls.deadline import Deadline
from backends.vault_transit.responses import is_transient
from backends.vault_transit.settings import VaultSettings
from backends.vault_transit.token_keeper import Lease

_RETRY_PAUSES = (0.1, 0.2)  # seconds


class VaultCaller:
    """Sends hvac's requests, for one call of the port and until its deadline.

    It returns failures and never raises, since hvac's frames hold what was sent.
    """

    def __init__(
        self,
        settings: VaultSettings,
        http: BoundedHttp,
        deadline: Deadline,
        lease: Lease | None = None,
    ) -> None:
        self._address = settings.address
        self._http = http
        self._deadline = deadline
        self._headers = {"X-Vault-Request": "true"}
        if settings.namespace:
            self._headers["X-Vault-Namespace"] = settings.namespace
        if lease is not None:
            self._headers["X-Vault-Token"] = lease.token

    def get(self, url: str) -> Response:
        """Send a GET."""
        return self._request("GET", url, None)

    def post(
        self,
        url: str,
        json: Mapping[str, Any],
        wrap_ttl: None = None,  # noqa: ARG002 # hvac's
    ) -> Response:
        """Send a POST."""
        return self._request("POST", url, json)

    def login(self, url: str, use_token: bool, json: Mapping[str, Any]) -> Response:  # noqa: ARG002, FBT001
        """Send a login; the token is in the response only."""
        return self._request("POST", url, json)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Response:
        url = self._address + path
        for pause in _RETRY_PAUSES:
            response = self._http.exchange(method, url, self._headers, body, self._deadline)
            if not is_transient(response) or self._deadline.remaining() <= pause:
                return response
            time.sleep(pause)
        return self._http.exchange(method, url, self._headers, body, self._deadline)
