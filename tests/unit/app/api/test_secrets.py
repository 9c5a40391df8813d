"""The operations of clients on secrets."""

import pytest

from tests.support.api_deployment import Client, body_of, error_of


def test_a_new_secret_is_answered_without_its_value(client: Client) -> None:
    made = client.create("DATABASE_PASSWORD", "correct horse")
    assert set(made) == {"id", "name", "create_time_ms", "update_time_ms"}


def test_ids_begin_with_the_official_prefix(client: Client) -> None:
    assert client.create("A")["id"].startswith("sec_")


def test_a_secret_is_found_by_its_name(client: Client) -> None:
    made = client.create("A")
    assert body_of(client.get("/v1/secrets/A")) == made


def test_a_secret_is_found_by_its_id(client: Client) -> None:
    made = client.create("A")
    assert body_of(client.get(f"/v1/secrets/id/{made['id']}")) == made


def test_names_differ_by_case(client: Client) -> None:
    client.create("a")
    assert error_of(client.get("/v1/secrets/A")) == (404, "secret_not_found")


@pytest.mark.parametrize("by", ["name", "id"])
def test_an_update_keeps_all_but_the_time(client: Client, by: str) -> None:
    made = client.create("A")
    path = "/v1/secrets/A" if by == "name" else f"/v1/secrets/id/{made['id']}/update"
    updated = body_of(client.post(path, json={"value": "another"}))
    assert updated.pop("update_time_ms") >= made.pop("update_time_ms")
    assert updated == made


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_deleted_secret_is_answered_and_gone(client: Client, by: str) -> None:
    made = client.create("A")
    path = "/v1/secrets/A" if by == "name" else f"/v1/secrets/id/{made['id']}"
    assert body_of(client.post(f"{path}/delete")) == made
    assert error_of(client.get("/v1/secrets/A")) == (404, "secret_not_found")


def test_a_deleted_name_can_be_used_again(client: Client) -> None:
    first = client.create("A")
    client.post("/v1/secrets/A/delete")
    assert client.create("A")["id"] != first["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content_type": "application/json"},
        {"data": b"{}", "content_type": "application/json"},
        {"data": b" { } ", "content_type": "application/json; charset=UTF-8"},
    ],
)
def test_a_deletion_needs_no_body_and_takes_an_empty_one(
    client: Client, body: dict[str, str]
) -> None:
    client.create("A")
    assert client.post("/v1/secrets/A/delete", **body).status_code == 200


def test_a_duplicate_name_is_400_and_says_which(client: Client) -> None:
    client.create("TAKEN")
    refused = client.post("/v1/secrets", json={"name": "TAKEN", "value": "another"})
    assert error_of(refused) == (400, "secret_name_exists")
    assert body_of(refused)["message"] == "A secret named TAKEN already exists."


@pytest.mark.parametrize(
    "value",
    [
        "",
        " padded ",
        "line\r\nline\n",
        "\ufeff",
        "caf\u00e9",
        "cafe\u0301",
        "\U0001f511",
        "\x01\x7f",
    ],
)
def test_any_text_but_nul_and_surrogates_is_a_value(client: Client, value: str) -> None:
    client.create("A", value)


def test_a_value_may_be_as_long_as_the_setting_allows(client: Client) -> None:
    client.create("A", "x" * 65536)


@pytest.mark.parametrize("name", ["id", "delete", "update", "_", "A" * 255])
def test_a_secret_of_an_awkward_name_lives_and_dies_like_any_other(
    client: Client, name: str
) -> None:
    made = client.create(name)
    assert body_of(client.get(f"/v1/secrets/{name}")) == made
    assert client.post(f"/v1/secrets/{name}", json={"value": "another"}).status_code == 200
    assert client.post(f"/v1/secrets/{name}/delete").status_code == 200
    assert client.names() == []
