"""A deployment as the tests of the API see it: accounts, and clients that hold an API key."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.domain.access.scopes import ALL_SCOPES, Scope
from app.services.container import Services
from config.settings import Settings
from tests.support import databases
from tests.support.databases import Rows
from tests.support.labels import new_label


class Client:
    """Sends requests with one bearer token, or with none."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self._app = app
        self._client = app.test_client()
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def with_token(self, token: str) -> "Client":
        """Another client of the same application."""
        return Client(self._app, token)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.send("POST", path, **options)

    def post_bytes(self, path: str, body: bytes, **options: Any) -> TestResponse:
        return self.post(path, data=body, content_type="application/json", **options)

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, buffered=True, **options)

    def create(self, name: str, value: str = "a value") -> dict[str, Any]:
        made = self.post("/v1/secrets", json={"name": name, "value": value})
        assert made.status_code == 200, made.text
        return body_of(made)

    def names(self) -> list[str]:
        listed = self.get("/v1/secrets?limit=5000").get_json()
        return [secret["name"] for secret in listed["secrets"]]


@dataclass(frozen=True)
class ApiDeployment:
    settings: Settings
    services: Services
    app: Flask

    def new_account(self, *, devbox: bool = True) -> "Account":
        made = self.services.accounts.create(new_label("an account"), devbox=devbox)
        return Account(self, made.id)

    def anyone(self) -> Client:
        return Client(self.app, None)

    def rows(self) -> AbstractContextManager[Rows]:
        """The database itself, as someone who can write to it sees it."""
        return databases.chosen.rows(self.settings.home)


@dataclass(frozen=True)
class Account:
    deployment: ApiDeployment
    id: str

    def token(self, scopes: frozenset[Scope] = ALL_SCOPES, expires_at_ms: int | None = None) -> str:
        issued = self.deployment.services.api_keys.issue(
            self.id, name="a key", scopes=scopes, expires_at_ms=expires_at_ms
        )
        return issued.token.reveal()

    def client(self, scopes: frozenset[Scope] = ALL_SCOPES) -> Client:
        return Client(self.deployment.app, self.token(scopes))


def body_of(response: TestResponse) -> dict[str, Any]:
    body = response.get_json()
    assert isinstance(body, dict)
    return body


def error_of(response: TestResponse) -> tuple[int, str]:
    """Status and code of an error, after its shape was checked."""
    body = body_of(response)
    assert set(body) == {"code", "message", "request_id"}
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]
