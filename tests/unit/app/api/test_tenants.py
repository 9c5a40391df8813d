"""Another account's secret is answered exactly as one that does not exist."""

import pytest

from tests.support.api_deployment import ApiDeployment, Client, body_of

NAME, MISSING = "THEIRS", "NOBODYS"
VERBS = [
    ("GET", "/v1/secrets/{name}", {}),
    ("POST", "/v1/secrets/{name}", {"json": {"value": "x"}}),
    ("POST", "/v1/secrets/{name}/delete", {}),
    ("GET", "/v1/secrets/id/{id}", {}),
    ("POST", "/v1/secrets/id/{id}/update", {"json": {"value": "x"}}),
    ("POST", "/v1/secrets/id/{id}/delete", {}),
    *(
        (method, f"/v1/secrets/{secret}/{path}", options)
        for secret in ("{name}", "id/{id}")
        for method, path, options in (
            ("GET", "versions", {}),
            ("POST", "rollback", {"json": {"version": 1}}),
            ("POST", "versions/purge", {}),
            ("POST", "versions/1/delete", {}),
        )
    ),
    ("GET", "/v1/secrets?name={name}", {}),
    ("GET", "/v1/secrets?search={name}", {}),
]


@pytest.fixture
def stranger(deployment: ApiDeployment) -> Client:
    return deployment.new_account().client()


@pytest.mark.parametrize(("method", "path", "options"), VERBS)
def test_theirs_is_answered_like_none(
    client: Client, stranger: Client, method: str, path: str, options: dict[str, object]
) -> None:
    theirs = stranger.create(NAME)
    gone = stranger.create(MISSING)
    stranger.post(f"/v1/secrets/{MISSING}/delete")
    answers = []
    for secret in (theirs, gone):
        answered = client.send(method, path.format(**secret), **options)
        request_id = answered.headers["x-request-id"].encode()
        headers = {key: value.encode().replace(request_id, b"") for key, value in answered.headers}
        answers.append((answered.status, headers, answered.data.replace(request_id, b"")))
    assert answers[0] == answers[1]
    assert stranger.names() == [NAME]


def test_a_list_begins_after_anyones_id_alike(client: Client, stranger: Client) -> None:
    client.create("OLDER")
    theirs = stranger.create(NAME)
    client.create("NEWER")
    page = body_of(client.get(f"/v1/secrets?starting_after={theirs['id']}"))
    assert [secret["name"] for secret in page["secrets"]] == ["OLDER"]


def test_two_accounts_may_use_one_name(client: Client, stranger: Client) -> None:
    assert client.create(NAME)["id"] != stranger.create(NAME)["id"]


def test_a_list_holds_only_ones_own(client: Client, stranger: Client) -> None:
    stranger.create(NAME)
    assert body_of(client.get("/v1/secrets")) == {
        "secrets": [],
        "has_more": False,
        "total_count": 0,
    }
