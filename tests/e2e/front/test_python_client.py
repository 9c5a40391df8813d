"""The official Python client, unchanged, pointed here by its variables; also through nginx."""

from collections.abc import Iterator

import pytest
from runloop_api_client import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    Runloop,
)

from tests.e2e.account import Account
from tests.e2e.front.conftest import Way
from tests.support.strongroom import Strongroom


@pytest.fixture
def client(account: Account, way: Way, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runloop]:
    for name, value in {**way.environment, "RUNLOOP_API_KEY": account.token}.items():
        monkeypatch.setenv(name, value)
    with Runloop() as client:
        yield client


def test_a_secret_is_created_and_found_by_its_name(client: Runloop) -> None:
    created = client.secrets.create(name="FIRST", value="a value")
    assert created.id.startswith("sec_")
    assert client.secrets.retrieve("FIRST") == created


def test_a_process_gets_the_stored_value(client: Runloop, account: Account) -> None:
    value = " grüße ✓ \U0001f511\r\n\t\x01 trailing \n"
    client.secrets.create(name="FIRST", value=value)
    assert account.values("FIRST") == {"FIRST": value}


def test_a_command_starts_with_the_stored_value(
    client: Runloop, account: Account, way: Way, backend: Strongroom
) -> None:
    client.secrets.create(name="GREETING", value="hello")
    started = backend.command(
        *("run", "--secret", "GREETING", "--", "sh", "-c", "echo $GREETING"),
        check=True,
        **{**way.environment, "RUNLOOP_API_KEY": account.token},
    )
    assert (started.stdout, started.stderr) == ("hello\n", "")


def test_an_update_keeps_the_secret_and_replaces_the_value(
    client: Runloop, account: Account
) -> None:
    created = client.secrets.create(name="FIRST", value="before")
    updated = client.secrets.update("FIRST", value="after")
    assert (updated.id, updated.create_time_ms) == (created.id, created.create_time_ms)
    assert updated.update_time_ms >= created.update_time_ms
    assert account.values("FIRST") == {"FIRST": "after"}


def test_a_deleted_secret_is_gone(client: Runloop) -> None:
    created = client.secrets.create(name="FIRST", value="a value")
    assert client.secrets.delete("FIRST") == created
    with pytest.raises(NotFoundError):
        client.secrets.retrieve("FIRST")


def test_a_list_is_read_page_by_page_newest_first(client: Runloop) -> None:
    for name in ("A", "B", "C", "D", "E"):
        client.secrets.create(name=name, value="a value")
    names = []
    page = client.secrets.list(limit=2)
    while True:
        assert page.total_count == 5
        names += [secret.name for secret in page.secrets]
        if not page.has_more:
            break
        page = client.secrets.list(limit=2, extra_query={"starting_after": page.secrets[-1].id})
    assert names == ["E", "D", "C", "B", "A"]


def test_a_secret_is_found_changed_and_deleted_by_its_id(client: Runloop, account: Account) -> None:
    created = client.secrets.create(name="FIRST", value="before")
    assert client.secrets.retrieve_by_id(created.id) == created
    client.secrets.update_by_id(created.id, value="after")
    assert account.values("FIRST") == {"FIRST": "after"}
    client.secrets.delete_by_id(created.id)
    assert client.secrets.list().secrets == []


def test_a_name_that_is_taken_is_refused_at_once(client: Runloop) -> None:
    client.secrets.create(name="FIRST", value="a value")
    with pytest.raises(BadRequestError) as refused:
        client.secrets.create(name="FIRST", value="another")
    assert refused.value.body == {
        "code": "secret_name_exists",
        "message": "A secret named FIRST already exists.",
        "request_id": refused.value.response.headers["x-request-id"],
    }


@pytest.mark.parametrize("name", ["", "1ST", "WITH-HYPHEN", "TRAILING\n", "ÄRGER", "A" * 256])
def test_an_illegal_name_is_refused(name: str, client: Runloop) -> None:
    with pytest.raises(BadRequestError):
        client.secrets.create(name=name, value="a value")
    assert client.secrets.list().secrets == []


def test_a_wrong_key_is_refused(client: Runloop, account: Account) -> None:
    wrong = client.copy(bearer_token=account.token[:-1] + "?")
    with pytest.raises(AuthenticationError):
        wrong.secrets.list()


def test_a_key_made_by_the_client_works(client: Runloop, account: Account) -> None:
    made = client.apikeys.create(name="another")
    assert made.key_secret is not None
    client.copy(bearer_token=made.key_secret).secrets.create(name="FIRST", value="a value")
    assert account.names() == ["FIRST"]


def test_a_restricted_key_made_by_the_client_does_what_its_scopes_say(
    client: Runloop,
) -> None:
    client.secrets.create(name="FIRST", value="a value")
    wanted = {"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}
    made = client.restricted_keys.create(name="reader", scopes=[wanted])  # type: ignore[list-item]
    assert made.key_secret is not None
    assert [each.to_dict() for each in made.scopes or []] == [wanted]
    reader = client.copy(bearer_token=made.key_secret)
    assert [secret.name for secret in reader.secrets.list().secrets] == ["FIRST"]
    with pytest.raises(PermissionDeniedError):
        reader.secrets.delete("FIRST")
