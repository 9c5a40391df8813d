"""One request through the gateway, to a real upstream."""

from tests.support.gateway.api import CONFIG, CREDENTIAL, TOKEN
from tests.support.gateway.rig import Rig


def test_a_request_arrives_with_the_credential_in_place_of_the_token(running: Rig) -> None:
    reply = running.call("POST", "/v1/messages?beta=true&x=%2f", body=b"prompt")
    assert (reply.status, reply.body) == (200, b"hello")
    (received,) = running.upstream.requests
    assert received.request_line == "POST /v1/messages?beta=true&x=%2f HTTP/1.1"
    assert received.all("Authorization") == [f"Bearer {CREDENTIAL}"]
    assert received.body == b"prompt"
    assert TOKEN.encode() not in running.upstream.raw


def test_the_api_is_asked_with_the_token_the_config_and_the_canonical_path(running: Rig) -> None:
    running.call("PUT", "/v1/%6dessages?key=1&a=2")
    (asked,) = running.api.asked
    assert asked == {
        "token": TOKEN,
        "config": CONFIG,
        "method": "PUT",
        "path": "/v1/messages",
        "query": ["key", "a"],
        "address": "127.0.0.1",
        "upgrade": False,
    }
