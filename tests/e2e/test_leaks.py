"""A thousand values through every way in, and none of them anywhere it must not be."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests

from tests.e2e.account import Account
from tests.e2e.canaries import canary, found_in
from tests.support.strongroom import Strongroom

Send = Callable[[Account, str, str], requests.Response]

_VALUES = 1000


def _send_bytes(account: Account, body: bytes) -> requests.Response:
    headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
    return requests.post(f"{account.url}/v1/secrets", data=body, headers=headers, timeout=30)


def _send_header(account: Account, name: str, text: str) -> requests.Response:
    headers = {name: text.encode()}
    return requests.get(f"{account.url}/v1/secrets", headers=headers, timeout=30)


WAYS: dict[str, Send] = {
    "create": lambda account, value, name: account.create(name, value),
    "create one that exists": lambda account, value, _: account.create("KNOWN", value),
    "create twice with one request id": lambda account, value, name: [
        account.create(name, value, request_id=name) for _ in range(2)
    ][-1],
    "update": lambda account, value, _: account.call("POST", "/v1/secrets/KNOWN", {"value": value}),
    "update by id": lambda account, value, _: account.call(
        "POST", f"/v1/secrets/id/{_known_id(account)}/update", {"value": value}
    ),
    "update one that does not exist": lambda account, value, name: account.call(
        "POST", f"/v1/secrets/{name}", {"value": value}
    ),
    "as a name": lambda account, value, _: account.create(value),
    "as a field": lambda account, value, name: account.call(
        "POST", "/v1/secrets", {"name": name, "value": "x", value: value}
    ),
    "as a key": lambda account, value, _: account.call(
        "POST", "/v1/apikeys", {"name": value + "\n"}
    ),
    "in a path": lambda account, value, _: account.call("GET", f"/v1/secrets/{quote(value)}"),
    "in a query": lambda account, value, _: account.call(
        "GET", f"/v1/secrets?limit={quote(value)}"
    ),
    "as a token": lambda account, value, _: _send_header(
        account, "Authorization", f"Bearer {value}"
    ),
    "as a request id": lambda account, value, _: _send_header(account, "x-request-id", value),
    "in JSON cut short": lambda account, value, name: _send_bytes(
        account, json.dumps({"name": name, "value": value}).encode()[:-2]
    ),
    "as no JSON": lambda account, value, _: _send_bytes(account, value.encode("utf-16")),
}


def _known_id(account: Account) -> str:
    found: str = account.call("GET", "/v1/secrets/KNOWN").json()["id"]
    return found


@pytest.mark.timeout(600)
def test_a_value_appears_in_the_redemption_only(server: Strongroom, account: Account) -> None:
    account.create("KNOWN")
    answers = []
    for number in range(_VALUES):
        way = list(WAYS.values())[number % len(WAYS)]
        answers.append(way(account, canary(number), f"NAME_{number}"))
    told = b"".join(answer.content + str(answer.headers).encode() for answer in answers)
    assert found_in(told) == []
    for file in (server.log, *server.home.iterdir()):
        assert (file.name, found_in(file.read_bytes())) == (file.name, [])


def test_the_values_arrived(account: Account) -> None:
    account.create("KNOWN")
    for way in ("create", "update by id"):
        assert WAYS[way](account, canary(1), "NAME").status_code == 200
    assert account.values("NAME", "KNOWN") == {"NAME": canary(1), "KNOWN": canary(1)}


@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: text.encode("latin-1"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode().hex().encode(),
        lambda text: quote(text).encode(),
        lambda text: json.dumps({"value": text}).encode(),
        lambda text: ascii([text]).encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.b64encode(b"x" + text.encode()),
        lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()),
    ],
)
def test_a_value_would_be_recognised(encode: Callable[[str], bytes]) -> None:
    assert found_in(b"before" + encode(canary(7)) + b"behind")
