"""What the page ``/docs`` offers to send is accepted as it is, from the top to the bottom."""

from collections.abc import Iterator
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom, running

Operation = dict[str, Any]

# Every operation, in an order in which what each needs exists. Some are needed twice.
_ORDER = (
    "health",
    "readiness",
    "createSecret",
    "listSecrets",
    "getSecret",
    "getSecretById",
    "updateSecret",
    "updateSecretById",
    "listSecretVersions",
    "rollBackSecret",
    "deleteSecretVersion",
    "purgeSecretVersions",
    "createInjection",
    "getInjection",
    "listInjections",
    "redeemInjection",
    "createInjection",
    "revokeInjection",
    "createGatewayConfig",
    "listGatewayConfigs",
    "getGatewayConfig",
    "updateGatewayConfig",
    "createGatewayToken",
    "getGatewayToken",
    "listGatewayTokens",
    "listGatewayUses",
    "listAuditEvents",
    "revokeGatewayToken",
    "revokeGatewayTokens",
    "deleteGatewayConfig",
    "deleteSecret",
    "createSecret",
    "updateSecret",
    "listSecretVersionsById",
    "rollBackSecretById",
    "deleteSecretVersionById",
    "purgeSecretVersionsById",
    "deleteSecretById",
    "createApiKey",
    "createRestrictedKey",
)

_IDS = {
    "secrets": "secret_id",
    "injections": "injection_id",
    "gateway configs": "config_id",
    "gateway tokens": "token_id",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """A server with a gateway's URL, so that tokens can be minted."""
    with TemporaryDirectory(prefix="strongroom-") as sockets:  # whose path is short enough
        settings = {
            "STRONGROOM_GATEWAY_URL": "https://gw.example.com",
            "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        }
        with running(tmp_path_factory.mktemp("strongroom"), settings) as server:
            yield server


@pytest.fixture
def account(server: Strongroom) -> Iterator[Account]:
    """An account of this server: that of all proofs may be open already."""
    with (
        closing(build(load(server.environment))) as services,
        Account.new(server.url, services) as account,
    ):
        yield account


class Visitor:
    """Somebody who authorises on the page, and executes its examples without a change.

    An id or a token is copied from an earlier response, as the page says.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        document = requests.get(f"{account.url}/openapi.json", timeout=10).json()
        self._security = document["security"]
        self.operations: dict[str, Operation] = {
            operation["operationId"]: {**operation, "path": path, "method": method, "at": item}
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in {"get", "post", "put", "patch", "delete"}
        }
        self._copied: dict[str, str] = {}
        self._credentials = {"bearerAuth": account.token}

    def execute(self, operation_id: str) -> requests.Response:
        operation = self.operations[operation_id]
        path = operation["path"]
        for parameter in operation["at"].get("parameters", []):
            name = parameter["name"]
            value = str(parameter.get("example") or self._copied[name])
            path = path.replace(f"{{{name}}}", value)
        response = requests.request(
            operation["method"],
            self._account.url + path,
            params={
                each["name"]: each["example"]
                for each in operation.get("parameters", [])
                if "example" in each
            },
            json=self._body(operation),
            headers=self._headers(operation),
            timeout=10,
            allow_redirects=False,
        )
        self._copy(operation["tags"], response)
        return response

    def _body(self, operation: Operation) -> object:
        if "requestBody" not in operation:
            return None
        return operation["requestBody"]["content"]["application/json"]["example"]

    def _headers(self, operation: Operation) -> dict[str, str]:
        required = operation.get("security", self._security)
        tokens = [self._credentials[name] for each in required for name in each]
        return {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}

    def _copy(self, tags: list[str], response: requests.Response) -> None:
        shown = response.json()
        if "id" in shown:
            self._copied[_IDS.get(tags[0], "")] = shown["id"]
        if "token" in shown:
            self._credentials["injectionToken"] = shown["token"]


@pytest.fixture
def visitor(account: Account) -> Visitor:
    return Visitor(account)


def test_every_operation_is_sent(visitor: Visitor) -> None:
    assert set(_ORDER) == set(visitor.operations)


def test_every_example_is_accepted_in_a_sensible_order(visitor: Visitor) -> None:
    for each in _ORDER:
        response = visitor.execute(each)
        assert response.status_code == 200, (each, response.text)
