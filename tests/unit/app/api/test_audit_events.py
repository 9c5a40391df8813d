"""``GET /v1/audit-events`` lists the records of the caller's account, and nobody else's."""

from typing import Any

import pytest

from app.domain.access.scopes import Scope
from tests.support.api_deployment import Account, ApiDeployment, Client, body_of, error_of

PATH = "/v1/audit-events"


def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(PATH + query)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = body_of(answer)["audit_events"]
    return events


def actions(client: Client, query: str = "") -> list[str]:
    return [event["action"] for event in listed(client, query)]


def test_a_change_is_listed_with_who_made_it(client: Client) -> None:
    secret = client.create("A")

    newest = listed(client)[0]

    assert newest["action"] == "secret.created"
    assert newest["actor"].startswith("key_")
    assert newest["subjects"] == [f"{secret['id']}@1"]


def test_records_are_found_by_secret_key_action_and_time(client: Client) -> None:
    secret_id = client.create("A")["id"]
    client.create("B")
    newest = listed(client)[0]

    assert actions(client, f"?secret_id={secret_id}") == ["secret.created"]
    assert len(actions(client, f"?api_key_id={newest['actor']}&action=secret.created")) == 2
    assert actions(client, "?action=secret.deleted") == []
    assert actions(client, f"?since_ms={newest['create_time_ms'] + 1}") == []
    assert actions(client, f"?until_ms={newest['create_time_ms'] + 1}")[0] == "secret.created"


def test_a_page_goes_on_where_the_one_before_ended(client: Client) -> None:
    for name in ("A", "B", "C"):
        client.create(name)
    everything = [event["id"] for event in listed(client)]
    first = body_of(client.get(f"{PATH}?limit=2"))
    rest = listed(client, f"?starting_after={first['last_id']}")

    assert first["has_more"]
    assert [event["id"] for event in (*first["audit_events"], *rest)] == everything


def test_an_account_sees_only_its_own_records(client: Client, deployment: ApiDeployment) -> None:
    other = deployment.new_account().client()
    other.create("THEIRS")

    assert {event["id"] for event in listed(client)}.isdisjoint(
        event["id"] for event in listed(other)
    )
    assert "secret.created" not in actions(client)


def test_a_key_without_the_scope_is_refused(account: Account) -> None:
    client = account.client(frozenset(Scope) - {Scope.AUDIT_READ})

    assert client.get(PATH).status_code == 403


@pytest.mark.parametrize(
    "query",
    ["secret_id=A", "api_key_id=sec_1", "action=none", "since_ms=-1", "until_ms=1e3", "more=1"],
)
def test_a_query_that_is_no_filter_is_refused(client: Client, query: str) -> None:
    assert error_of(client.get(f"{PATH}?{query}")) == (400, "invalid_request")
