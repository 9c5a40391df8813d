"""A backlog of what has ended is worked off beside requests, and none of them is refused for it."""

import time

import pytest
from runloop_api_client import BadRequestError, Runloop

from tests.support.databases import Row
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

BACKLOG = 5000
PATIENCE_SECONDS = 120.0


def expired(account_id: str, number: int) -> Row:
    """A stored response that ended long ago."""
    return {
        "account_id": account_id,
        "api_key_id": "key",
        "request_id": f"request-{number}",
        "digest": bytes(32),
        "data_key_id": "dk",
        "response": bytes(500),
        "expires_at_ms": 1,
    }


@pytest.fixture
def backlog(own_server: Strongroom) -> Strongroom:
    """Expired responses of an account that stopped writing."""
    account = own_server.command("account", "create", "stopped writing").stdout.strip()
    with own_server.rows() as rows:
        rows.plant_many("stored_responses", [expired(account, each) for each in range(BACKLOG)])
    return own_server


def left(server: Strongroom) -> int:
    with server.rows() as rows:
        return len(rows.all("stored_responses", expires_at_ms=1))


def test_a_backlog_is_worked_off_while_every_write_is_served(backlog: Strongroom) -> None:
    client = Runloop(base_url=backlog.url, bearer_token=backlog.api_key, max_retries=0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    written = 0
    while left(backlog) and time.monotonic() < deadline:
        client.secrets.create(name=f"NAME_{written}", value="a value")
        written += 1
    assert left(backlog) == 0
    assert written


def test_the_official_client_does_not_retry_a_limit(
    own_server: Strongroom,
) -> None:
    """Each of the two workers knows what it wrote itself, so both together let ten pass."""
    own_server.stop()
    own_server.start(STRONGROOM_MAX_SECRETS="5")
    client = Runloop(base_url=own_server.url, bearer_token=own_server.api_key)
    with pytest.raises(BadRequestError, match="reached its limit of 5 secrets"):
        create_secrets(client, 11)
    own_server.stop()  # the log is written by a thread of its own
    answered = [line for line in requests_in(own_server) if line["status"] == 400]
    assert [line["code"] for line in answered] == ["account_limit_reached"]


def create_secrets(client: Runloop, count: int) -> None:
    for number in range(count):
        client.secrets.create(name=f"NAME_{number}", value="a value")


def requests_in(server: Strongroom) -> list[dict[str, object]]:
    """The lines of the log that tell of requests."""
    lines = server.log_lines()
    return [line for line in lines if line["event"] == "request"]
