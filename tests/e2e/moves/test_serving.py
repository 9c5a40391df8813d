"""A deployment moves to another database while its servers serve."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import requests

from tests.e2e.moves.deployments import assert_clients_work, copy_arguments, issue, redeem
from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

WRITERS = 6


def write_until_refused(url: str, api_key: str, writer: int, has_begun: Event) -> list[str]:
    """Create secrets until the server refuses. Returns the names that were acknowledged."""
    acknowledged: list[str] = []
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {api_key}"
        while True:
            name = f"W{writer}_{len(acknowledged)}"
            body = {"name": name, "value": name.lower()}
            answered = session.post(f"{url}/v1/secrets", json=body, timeout=30)
            if answered.status_code == 503:
                assert answered.json()["code"] == "moved"
                return acknowledged
            assert answered.ok, answered.text
            acknowledged.append(name)
            if len(acknowledged) == 5:
                has_begun.set()


@pytest.mark.parametrize(
    "kinds",
    ["SQLite to PostgreSQL", "PostgreSQL to PostgreSQL", "PostgreSQL to SQLite"],
    indirect=True,
)
def test_what_was_acknowledged_is_in_the_new_database_and_nothing_later(
    before: Strongroom, after: Strongroom, new: str, javascript: JavaScript
) -> None:
    before.start()
    tokens = {state: issue(before) for state in ("redeemed before", "open")}
    assert redeem(before, tokens["redeemed before"]).ok
    begun = [Event() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [
            pool.submit(write_until_refused, before.url, before.api_key, number, event)
            for number, event in enumerate(begun)
        ]
        assert all(event.wait(60) for event in begun)
        before.command(*copy_arguments(before, new))
        acknowledged = [name for each in writing for name in each.result()]

    reading = {"Authorization": f"Bearer {before.api_key}"}
    refused = [
        requests.get(f"{before.url}/v1/secrets", headers=reading, timeout=30),
        redeem(before, tokens["open"]),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(503, "moved")] * 2
    assert not requests.get(f"{before.url}/readyz", timeout=30).ok
    before.kill()

    after.start()
    assert redeem(after, tokens["open"]).json()["environment"] == {"FIRST": "a value"}
    assert not redeem(after, tokens["open"]).ok
    assert not redeem(after, tokens["redeemed before"]).ok
    assert_clients_work(after, javascript, acknowledged)
