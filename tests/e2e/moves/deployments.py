"""What a deployment does before it moves, and after it."""

import json
from collections.abc import Sequence

import requests
from runloop_api_client import Runloop

from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom


def copy_arguments(before: Strongroom, new: str) -> tuple[str, ...]:
    return ("db", "copy", "--from", before.environment["STRONGROOM_DATABASE_URL"], "--to", new)


def issue(server: Strongroom) -> str:
    """The token of an injection of the secret ``FIRST``."""
    sent = {"Authorization": f"Bearer {server.api_key}"}
    secret = {"name": "FIRST", "value": "a value"}
    requests.post(f"{server.url}/v1/secrets", json=secret, headers=sent, timeout=30)
    wanted = {"secrets": {"FIRST": "FIRST"}}
    answered = requests.post(f"{server.url}/v1/injections", json=wanted, headers=sent, timeout=30)
    token: str = answered.json()["token"]
    return token


def redeem(server: Strongroom, token: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{server.url}/v1/injections/redeem", json={}, headers=sent, timeout=30)


def assert_clients_work(server: Strongroom, javascript: JavaScript, names: Sequence[str]) -> None:
    """Let both official clients list, create, update and delete with the API key of before.

    Args:
        names: The secrets of before, without ``FIRST``, which there is, too.
    """
    with Runloop(bearer_token=server.api_key, base_url=server.url) as client:
        listed = [each.name for each in client.secrets.list(limit=5000).secrets]
        assert sorted(listed) == sorted(["FIRST", *names])
        assert client.secrets.retrieve("FIRST").name == "FIRST"
        client.secrets.update(listed[0], value="another value")
        client.secrets.create(name="LATER", value="a later value")
    done = javascript.run("secrets.mjs", environ=server.client_environment)
    answers = json.loads(done.stdout)
    assert answers["created"]["status"] == 400, "FIRST was copied"
    assert answers["updated"]["id"] == answers["second"]["id"]
    assert answers["deleted"] == answers["third"]
    assert answers["left"]["secrets"][0]["name"] == "LATER"
