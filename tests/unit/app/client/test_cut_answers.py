"""An answer that did not arrive whole is asked for again, wherever it was cut off."""

import pytest

from app.client import redeem
from app.client.api import Account
from tests.unit.app.client.protocol_server import (
    API_KEY,
    Answer,
    Cut,
    Exchange,
    ProtocolServer,
    Trouble,
    as_sent,
)

NAMES = {"HELLO": "GREETING"}
VALUES = {"HELLO": "canary-hello"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.redeem.time.sleep", lambda _: None)


def cut(size: int) -> Trouble:
    """The server does the work, and so many bytes of its answer arrive."""
    return lambda _, proceed: Cut(proceed(), size)


def client(server: ProtocolServer, bearer: str, timeout: float = 25) -> redeem.Client:
    return redeem.Client(server.url, bearer, timeout)


def account(server: ProtocolServer, timeout: float = 25) -> Account:
    return Account(server.url, API_KEY, timeout)


def test_a_redemption_survives_a_cut_at_every_byte(server: ProtocolServer) -> None:
    for size in range(len(as_sent((200, {"environment": VALUES}, {})))):
        server.troubles.append(cut(size))
        assert redeem.redeem(client(server, server.issue(NAMES))) == VALUES
        first, second = server.exchanges[-2:]
        assert first.body == second.body


def test_creating_an_injection_survives_a_cut_at_every_byte(server: ProtocolServer) -> None:
    whole = as_sent(server._create(Exchange("POST", "", {}, {}, {"secrets": NAMES})))
    for size in range(len(whole)):
        server.troubles.append(cut(size))
        assert account(server).create_injection(NAMES, 60) in server.tokens
        first, second = server.exchanges[-2:]
        assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_a_list_survives_a_cut_at_every_byte(server: ProtocolServer) -> None:
    exchange = Exchange("GET", "/v1/secrets", {}, {}, {})
    for size in range(len(as_sent(server._list(exchange)))):
        server.troubles.append(cut(size))
        assert [each.name for each in account(server).secrets(256)] == [*server.secrets]


INCOMPLETE: list[Answer] = [
    (200, {}, {}),
    (204, {}, {}),
    (200, {"environment": ["x"]}, {}),
    (200, {"environment": {"A": 1}}, {}),
    (200, {"environment": {"A": "x\0y"}}, {}),
    (200, {"environment": {"A": "\ud800"}}, {}),
    (200, {"environment": VALUES}, {"Content-Length": "1000"}),
]


@pytest.mark.parametrize("answer", INCOMPLETE)
def test_a_success_without_an_environment_is_retried(
    server: ProtocolServer, answer: Answer
) -> None:
    server.troubles.append(lambda _, __: answer)
    assert redeem.redeem(client(server, server.issue(NAMES))) == VALUES


@pytest.mark.parametrize("answer", INCOMPLETE)
def test_an_incomplete_response_is_reported_as_unavailable(
    server: ProtocolServer, answer: Answer
) -> None:
    server.troubles.append(lambda _, __: answer)
    with pytest.raises(redeem.Refused) as refused:
        redeem.redeem(client(server, server.issue(NAMES), timeout=0))
    assert refused.value.code == redeem.UNAVAILABLE


@pytest.mark.parametrize("document", [{}, {"token": 1}, {"token": "injt_\n"}, {"token": "ak_x"}])
def test_a_creation_response_without_a_token_is_reported_as_unavailable(
    server: ProtocolServer, document: dict[str, object]
) -> None:
    server.troubles.append(lambda _, __: (200, document, {}))
    with pytest.raises(redeem.Refused) as refused:
        account(server, timeout=0).create_injection(NAMES, 60)
    assert refused.value.code == redeem.UNAVAILABLE
