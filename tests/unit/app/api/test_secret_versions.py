"""The versions of secrets, over the API: listed, put back, deleted."""

from typing import Any

import pytest

from tests.support.api_deployment import Account, Client, body_of, error_of

ID = {"x-request-id": "a-retry-of-the-official-client"}


@pytest.fixture
def changed(client: Client) -> dict[str, Any]:
    """A secret with three versions."""
    made = client.create("A", "first")
    for value in ("second", "third"):
        client.post("/v1/secrets/A", json={"value": value})
    return made


def path_of(secret: dict[str, Any], by: str) -> str:
    return f"/v1/secrets/{secret['name']}" if by == "name" else f"/v1/secrets/id/{secret['id']}"


def versions(client: Client, path: str = "/v1/secrets/A") -> list[int]:
    listed = body_of(client.get(f"{path}/versions"))["versions"]
    assert [each["is_current"] for each in listed] == [True] + [False] * (len(listed) - 1)
    return [each["version"] for each in listed]


def value_of(client: Client, name: str = "A") -> str:
    made = body_of(client.post("/v1/injections", json={"secrets": {"A": name}}))
    redeemed = client.with_token(made["token"]).post("/v1/injections/redeem")
    value: str = body_of(redeemed)["environment"]["A"]
    return value


by_name_and_id = pytest.mark.parametrize("by", ["name", "id"])


@by_name_and_id
def test_versions_are_listed_from_the_current_one_down(
    client: Client, changed: dict[str, Any], by: str
) -> None:
    assert versions(client, path_of(changed, by)) == [3, 2, 1]


def test_a_version_says_when_and_by_which_key_it_was_set(
    client: Client, account: Account, changed: dict[str, Any]
) -> None:
    other = account.client()
    updated = body_of(other.post("/v1/secrets/A", json={"value": "fourth"}))
    newest, _, before, oldest = body_of(client.get("/v1/secrets/A/versions"))["versions"]
    assert newest["create_time_ms"] == updated["update_time_ms"]
    assert oldest["create_time_ms"] == changed["create_time_ms"]
    assert newest["created_by"].startswith("key_")
    assert newest["created_by"] != before["created_by"]
    assert oldest["created_by"] is None  # no version before it says so


@by_name_and_id
def test_an_old_value_comes_back_as_a_new_version(
    client: Client, changed: dict[str, Any], by: str
) -> None:
    done = body_of(client.post(f"{path_of(changed, by)}/rollback", json={"version": 1}))
    assert (done["version"], done["restored_version"]) == (4, 1)
    assert (done["id"], done["name"]) == (changed["id"], "A")
    assert value_of(client) == "first"
    assert versions(client) == [4, 3, 2, 1]


def test_the_current_version_cannot_be_rolled_back_to(
    client: Client, changed: dict[str, Any]
) -> None:
    refused = client.post("/v1/secrets/A/rollback", json={"version": 3})
    assert error_of(refused) == (400, "version_is_current")


@pytest.mark.parametrize("version", [4, 2**63 - 2])
def test_a_version_that_never_was_is_404(
    client: Client, changed: dict[str, Any], version: int
) -> None:
    refused = client.post("/v1/secrets/A/rollback", json={"version": version})
    assert error_of(refused) == (404, "secret_version_not_found")
    assert value_of(client) == "third"


@pytest.mark.parametrize("version", [0, -1, 2**63 - 1, 1.5, "1", None, True, [1]])
def test_what_is_no_number_of_a_version_is_400(
    client: Client, changed: dict[str, Any], version: object
) -> None:
    refused = client.post("/v1/secrets/A/rollback", json={"version": version})
    assert error_of(refused) == (400, "invalid_request")


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "x", "9" * 40, "\u0661", "%31%20"])
def test_a_path_with_no_number_of_a_version_is_404(
    client: Client, changed: dict[str, Any], version: str
) -> None:
    refused = client.post(f"/v1/secrets/A/versions/{version}/delete")
    assert error_of(refused) == (404, "secret_version_not_found")
    assert versions(client) == [3, 2, 1]


@by_name_and_id
def test_one_old_version_is_deleted_for_good(
    client: Client, changed: dict[str, Any], by: str
) -> None:
    path = path_of(changed, by)
    assert body_of(client.post(f"{path}/versions/1/delete")) == {"deleted": 1}
    assert versions(client) == [3, 2]
    refused = client.post(f"{path}/rollback", json={"version": 1})
    assert error_of(refused) == (404, "secret_version_not_found")


def test_the_current_version_is_not_deleted_as_an_old_one(
    client: Client, changed: dict[str, Any]
) -> None:
    refused = client.post("/v1/secrets/A/versions/3/delete")
    assert error_of(refused) == (400, "version_is_current")
    assert value_of(client) == "third"


@by_name_and_id
def test_a_purge_deletes_all_old_versions(client: Client, changed: dict[str, Any], by: str) -> None:
    assert body_of(client.post(f"{path_of(changed, by)}/versions/purge")) == {"deleted": 2}
    assert versions(client) == [3]
    assert value_of(client) == "third"


@pytest.mark.parametrize("name", ["id", "versions", "rollback", "purge", "delete"])
def test_a_secret_of_an_awkward_name_has_a_history_too(client: Client, name: str) -> None:
    client.create(name, "first")
    path = f"/v1/secrets/{name}"
    client.post(path, json={"value": "second"})
    assert versions(client, path) == [2, 1]
    assert body_of(client.post(f"{path}/rollback", json={"version": 1}))["version"] == 3
    assert value_of(client, name) == "first"
    assert body_of(client.post(f"{path}/versions/2/delete")) == {"deleted": 1}
    assert body_of(client.post(f"{path}/versions/purge")) == {"deleted": 1}
    assert versions(client, path) == [3]


def test_a_new_secret_of_a_deleted_name_has_no_old_versions(
    client: Client, changed: dict[str, Any]
) -> None:
    client.post("/v1/secrets/A/delete")
    assert error_of(client.get("/v1/secrets/A/versions")) == (404, "secret_not_found")
    client.create("A", "another secret")
    assert versions(client) == [1]


def test_a_repeated_rollback_is_done_once_and_answered_alike(
    client: Client, changed: dict[str, Any]
) -> None:
    sent = {"json": {"version": 1}, "headers": ID}
    first, second = (client.post("/v1/secrets/A/rollback", **sent) for _ in range(2))
    assert first.status_code == 200
    assert first.data == second.data
    assert versions(client) == [4, 3, 2, 1]


def test_a_repeated_rollback_is_answered_alike_when_the_old_version_is_gone(
    client: Client, changed: dict[str, Any]
) -> None:
    sent = {"json": {"version": 1}, "headers": ID}
    first = client.post("/v1/secrets/A/rollback", **sent)
    client.post("/v1/secrets/A/versions/purge")
    assert client.post("/v1/secrets/A/rollback", **sent).data == first.data


@pytest.mark.parametrize("path", ["versions/1/delete", "versions/purge"])
def test_a_repeated_deletion_of_versions_is_answered_alike(
    client: Client, changed: dict[str, Any], path: str
) -> None:
    first, second = (client.post(f"/v1/secrets/A/{path}", headers=ID) for _ in range(2))
    assert first.status_code == 200
    assert first.data == second.data


def test_pending_injections_hand_out_what_is_current(
    client: Client, changed: dict[str, Any]
) -> None:
    made = body_of(client.post("/v1/injections", json={"secrets": {"A": "A"}}))
    client.post("/v1/secrets/A/rollback", json={"version": 1})
    redeemed = client.with_token(made["token"]).post("/v1/injections/redeem")
    assert body_of(redeemed)["environment"] == {"A": "first"}
