"""An encoded slash is part of a name that no secret has, and never divides a path."""

import pytest

from tests.support.api_deployment import Client, error_of


@pytest.mark.parametrize(
    "path",
    [
        "/v1/secrets/A%2Fdelete",
        "/v1/secrets/A%2fdelete",
        "/v1/secrets%2FA/delete",
        "/v1%2Fsecrets/A/delete",
        "/v1/secrets/A%252Fdelete",
        "/v1/secrets/id%2F{id}%2Fdelete",
    ],
)
def test_an_encoded_slash_reaches_no_other_resource(client: Client, path: str) -> None:
    made = client.create("A")
    assert error_of(client.post(path.format(id=made["id"]), json={"value": "x"}))[0] == 404
    assert client.names() == ["A"]


def test_an_encoded_slash_in_an_absolute_target_reaches_no_other_resource(client: Client) -> None:
    client.create("A")
    target = {"RAW_URI": "http://host/v1/secrets/A%2Fdelete"}
    refused = client.post("/v1/secrets/A%2Fdelete", json={"value": "x"}, environ_overrides=target)
    assert error_of(refused) == (404, "secret_not_found")
    assert client.names() == ["A"]


def test_an_encoded_slash_in_the_query_changes_no_path(client: Client) -> None:
    refused = client.get("/v1/secrets?starting_after=a%2Fb")
    assert error_of(refused) == (400, "invalid_request")


@pytest.mark.parametrize("target", ["/v1/secrets/A%2Fdelete#x", "//host/v1/secrets/A%2Fdelete"])
def test_no_form_of_target_divides_at_an_encoded_slash(client: Client, target: str) -> None:
    client.create("A")
    refused = client.post("/v1/secrets/A/delete", environ_overrides={"RAW_URI": target})
    assert error_of(refused)[0] in {400, 404}
    assert client.names() == ["A"]
