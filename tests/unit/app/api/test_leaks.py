"""Nothing that is sent, in its place or in a wrong one, comes back or reaches a log at DEBUG."""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api_deployment import Account, Client

CANARY = "Kumquat+7f3a/9c=="
PLAIN = "Kumquat7f3a9c"

BODIES: list[tuple[str, object]] = [
    ("/v1/secrets", {"name": "NEW", "value": CANARY}),
    ("/v1/secrets", {"name": "A", "value": CANARY}),
    ("/v1/secrets", {"name": CANARY, "value": "x"}),
    ("/v1/secrets", {"name": "A", "value": "x", CANARY: CANARY}),
    ("/v1/secrets", {"name": [CANARY], "value": {CANARY: CANARY}}),
    ("/v1/secrets", [CANARY]),
    ("/v1/secrets", CANARY),
    ("/v1/secrets/A", {"value": CANARY}),
    ("/v1/secrets/A", {CANARY: CANARY}),
    ("/v1/secrets/A/delete", {CANARY: CANARY}),
    ("/v1/apikeys", {"name": f"{CANARY}\n"}),
    ("/v1/apikeys", {"expires_at_ms": CANARY}),
    ("/v1/restricted_keys", {"scopes": CANARY}),
    ("/v1/restricted_keys", {"scopes": [{CANARY: CANARY}]}),
    ("/v1/restricted_keys", {"scopes": [{"resource_type": CANARY, "access_level": CANARY}]}),
]
RAW_BODIES = [
    CANARY.encode(),
    b'{"name": "A", "value": "' + CANARY.encode(),
    b'{"name": "A", "value": "x", "value": "' + CANARY.encode() + b'"}',
    b'{"name": "A", "value": NaN, "x": "' + CANARY.encode() + b'"}',
    b'{"name": "A", "value": "\xff' + CANARY.encode() + b'"}',
    f'{{"name": "A", "value": "{CANARY}"}}'.encode("utf-16"),
]
PATHS = [
    f"/v1/secrets/{quote(CANARY, safe='')}",
    f"/v1/secrets/{PLAIN}",
    f"/v1/secrets/id/{PLAIN}",
    f"/v1/{PLAIN}/{PLAIN}",
    f"/{PLAIN}",
    f"/docs/{PLAIN}",
    f"/v1/secrets?search={PLAIN}&{PLAIN}={PLAIN}",
    f"/v1/secrets?limit={PLAIN}",
    f"/v1/secrets?starting_after={PLAIN}",
    f"/v1/secrets?include_total_count={PLAIN}",
    f"/v1/secrets/A?{PLAIN}",
]
HEADERS = [
    ("Authorization", f"Bearer {CANARY}"),
    ("Authorization", PLAIN),
    ("Content-Type", f"text/{PLAIN}"),
    ("Content-Type", f"application/json; charset={PLAIN}"),
    ("x-request-id", CANARY),
    ("x-request-id", f"{CANARY} x"),
    (f"x-{PLAIN}", CANARY),
    ("Host", f"{PLAIN}.example"),
    ("X-Forwarded-Host", PLAIN),
    ("Cookie", f"session={PLAIN}"),
]


@pytest.fixture
def seen(account: Account, caplog: pytest.LogCaptureFixture) -> Callable[..., list[bytes]]:
    """The forms of the canary in the response to a request, or in its log."""
    client = account.client()
    client.create("A")
    caplog.set_level(logging.DEBUG)

    def seen(method: str, path: str, **options: Any) -> list[bytes]:
        answered = client.send(method, path, **options)
        assert answered.status_code != 500
        records = "\n".join(f"{vars(record)} {record.getMessage()}" for record in caplog.records)
        shown = answered.data + str(answered.headers).encode() + records.encode()
        return [form for text in (CANARY, PLAIN) for form in _forms(text) if form in shown]

    return seen


def _forms(text: str) -> list[bytes]:
    plain = text.encode()
    return [
        plain,
        base64.b64encode(plain).rstrip(b"="),
        base64.urlsafe_b64encode(plain).rstrip(b"="),
        plain.hex().encode(),
        quote(text, safe="").encode(),
        json.dumps(text)[1:-1].encode(),
        text.encode("utf-16-le"),
    ]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_nothing_of_a_body_is_told(
    seen: Callable[..., list[bytes]], path: str, body: object
) -> None:
    assert seen("POST", path, json=body) == []


@pytest.mark.parametrize("body", RAW_BODIES)
def test_nothing_of_a_body_that_is_no_json_is_told(
    seen: Callable[..., list[bytes]], body: bytes
) -> None:
    assert seen("POST", "/v1/secrets", data=body, content_type="application/json") == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", PLAIN])
def test_nothing_of_a_request_line_is_told(
    seen: Callable[..., list[bytes]], method: str, path: str
) -> None:
    assert seen(method, path) == []


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_nothing_of_a_header_is_told(
    seen: Callable[..., list[bytes]], name: str, value: str
) -> None:
    body = b'{"name": "NEW", "value": "x"}'
    assert seen("POST", "/v1/secrets", data=body, headers={name: value}) == []


def test_a_token_is_never_logged(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = account.token()
        client = Client(account.deployment.app, token)
        minted = client.post("/v1/apikeys").get_json()["key_secret"]
    records = str([vars(record) for record in caplog.records])
    assert token not in records
    assert minted not in records
