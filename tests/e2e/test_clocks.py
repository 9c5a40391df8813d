"""The clock of the server's machine is set, under the real server; the time since boot goes on."""

from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.set_clock import SetClock
from tests.support.strongroom import Strongroom, prepared

pytestmark = pytest.mark.slow

HOUR = 60 * 60
TEN_YEARS = 10 * 365 * 24 * HOUR


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Strongroom, SetClock]]:
    """A server and its wall clock."""
    directory = tmp_path_factory.mktemp("stepped")
    clock = SetClock(directory)
    server = prepared(directory)
    try:
        server.start(**clock.environment())
        yield server, clock
    finally:
        server.kill()


@pytest.fixture
def server(stepped: tuple[Strongroom, SetClock]) -> Strongroom:
    return stepped[0]


@pytest.fixture
def set_clock(stepped: tuple[Strongroom, SetClock]) -> Iterator[SetClock]:
    yield stepped[1]
    stepped[1](0)


@pytest.fixture
def account(server: Strongroom) -> Iterator[Account]:
    with (
        closing(build(load(server.environment))) as services,
        Account.new(server.url, services) as account,
    ):
        yield account


def create(account: Account, name: str, request_id: str) -> requests.Response:
    body = {"name": name, "value": "a value"}
    return account.call("POST", "/v1/secrets", body, request_id=request_id)


def token_for(account: Account, name: str) -> str:
    made = account.call("POST", "/v1/injections", {"secrets": {name: name}, "ttl_seconds": 300})
    return str(made.json()["token"])


def redeem(server: Strongroom, token: str) -> int:
    url = f"{server.url}/v1/injections/redeem"
    return requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


def server_time(server: Strongroom) -> float:
    answer = requests.get(f"{server.url}/healthz", timeout=30)
    return parsedate_to_datetime(answer.headers["Date"]).timestamp()


def test_the_servers_clock_is_set(server: Strongroom, set_clock: SetClock) -> None:
    """Otherwise nothing here proves anything."""
    before = server_time(server)
    set_clock(-HOUR)
    assert server_time(server) - before == pytest.approx(-HOUR, abs=60)


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, -90, HOUR, TEN_YEARS])
def test_no_token_is_valid_outside_of_its_lifetime(
    server: Strongroom, set_clock: SetClock, account: Account, seconds: int
) -> None:
    create(account, "A", "request-1")
    token = token_for(account, "A")
    set_clock(seconds)
    assert redeem(server, token) == 401
    set_clock(0)
    assert redeem(server, token) == 200


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -HOUR, 2 * HOUR, TEN_YEARS])
def test_a_retry_under_another_clock_is_not_done_twice(
    set_clock: SetClock, account: Account, seconds: int
) -> None:
    first = create(account, "A", "request-1")
    account.call("POST", "/v1/secrets/A/delete", {})
    set_clock(seconds)
    for number in range(4):  # of both workers, one after the other
        refused = create(account, "A", "request-1")
        assert (refused.status_code, refused.json()["code"]) == (400, "request_id_unusable")
        create(account, f"OTHER_{number}", f"other-{number}")
    set_clock(0)
    again = create(account, "A", "request-1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())


def test_a_clock_that_jumps_by_years_makes_no_data_keys(
    server: Strongroom, set_clock: SetClock, account: Account
) -> None:
    create(account, "A", "request-1")
    for seconds in (TEN_YEARS, 0, -TEN_YEARS, 0):
        set_clock(seconds)
        body = {"value": "another value"}
        assert account.call("POST", "/v1/secrets/A", body).status_code == 200
    with server.rows() as rows:
        assert len(rows.all("data_keys", account_id=account.id)) == 1
