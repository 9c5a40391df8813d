"""A request waits for the database as seldom as docs/performance.md says."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.repository.postgresql.cursor import Cursor
from tests.support.api_deployment import Client
from tests.support.postgresql import PostgresqlServer
from tests.unit.app.repository.postgresql.deployed import Deployed, deployed

OPERATIONS: dict[str, tuple[Callable[[Client, int], Any], int]] = {
    "get": (lambda client, _: client.get("/v1/secrets/FIRST"), 2),
    "list": (lambda client, _: client.get("/v1/secrets?limit=2"), 2),
    "create": (
        lambda client, number: client.post(
            "/v1/secrets",
            json={"name": f"NAME_{number}", "value": "a value"},
            headers={"x-request-id": f"request-{number}"},
        ),
        6,
    ),
}
"""Each with its number of round trips."""

WARM = 8
"""So often until every statement is prepared."""


@pytest.fixture(scope="module")
def deployment(
    postgresql: PostgresqlServer, migrated_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("home"), postgresql, migrated_database) as deployment:
        yield deployment


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_waits_for_the_database_only_so_often(
    deployment: Deployed, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    client = deployment.new_account().client()
    for secret in ("FIRST", "SECOND", "THIRD"):
        client.create(secret)
    operation, round_trips = OPERATIONS[name]
    found: list[int] = []
    for waiting in ("_receive", "_run_all"):
        monkeypatch.setattr(Cursor, waiting, counting(getattr(Cursor, waiting), found))
    for number in range(WARM):
        found.append(0)
        assert operation(client, number).status_code == 200
    assert min(found) == round_trips


def counting(wait: Callable[..., object], found: list[int]) -> Callable[..., object]:
    def counted(*arguments: Any) -> object:
        found[-1] += 1
        return wait(*arguments)

    return counted
