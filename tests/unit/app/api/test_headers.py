"""The headers of every response."""

import pytest

from tests.support.api_deployment import Client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/secrets"),
        ("POST", "/v1/secrets"),
        ("GET", "/v1/nothing"),
        ("PUT", "/v1/secrets"),
        ("GET", "/nothing"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/docs/swagger-ui.css"),
    ],
)
def test_no_answer_may_be_stored_or_guessed_at(client: Client, method: str, path: str) -> None:
    headers = client.send(method, path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["x-request-id"].startswith("req_")


def test_no_answer_sets_a_cookie(client: Client) -> None:
    assert "Set-Cookie" not in client.get("/v1/secrets").headers
