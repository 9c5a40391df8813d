"""Gateway configs over HTTP: the official routes, the system's configs, and our extensions."""

from typing import Any

import pytest

from tests.support.api_deployment import Account, Client, body_of, error_of

PATH = "/v1/gateway-configs"
SYSTEM = ["slack", "github-git", "openai", "github", "anthropic", "stripe", "gemini"]


def create(client: Client, name: str = "example", **more: object) -> dict[str, Any]:
    made = client.post(
        PATH,
        json={
            "name": name,
            "endpoint": "https://api.example.com",
            "auth_mechanism": {"type": "bearer"},
            **more,
        },
    )
    assert made.status_code == 200, made.text
    return body_of(made)


def listed(client: Client, query: str = "") -> list[str]:
    return [each["name"] for each in body_of(client.get(PATH + query))["gateway_configs"]]


def refused(client: Client, **more: object) -> str:
    """The message of a refused create."""
    answer = client.post(
        PATH,
        json={
            "name": "example",
            "endpoint": "https://api.example.com",
            "auth_mechanism": {"type": "bearer"},
            **more,
        },
    )
    assert error_of(answer) == (400, "invalid_request")
    return str(body_of(answer)["message"])


def test_a_config_lives_through_the_official_smoke_test(client: Client, account: Account) -> None:
    made = create(client, description="for a test")
    path = f"{PATH}/{made['id']}"
    assert made["id"].startswith("gwc_")
    assert made["account_id"] == account.id
    assert made["auth_mechanism"] == {"type": "bearer"}
    assert body_of(client.get(path)) == made

    changed = client.post(
        path,
        json={"name": "renamed", "description": "changed", "endpoint": "https://api.example.org"},
    )
    assert body_of(changed) == {
        **made,
        "name": "renamed",
        "description": "changed",
        "endpoint": "https://api.example.org",
    }
    auth = {"type": "header", "key": "x-api-key"}
    assert body_of(client.post(path, json={"auth_mechanism": auth}))["auth_mechanism"] == auth

    deleted = body_of(client.post(f"{path}/delete", json={}))
    assert deleted["name"] == "renamed"
    assert error_of(client.get(path)) == (404, "gateway_config_not_found")
    assert error_of(client.post(f"{path}/delete")) == (404, "gateway_config_not_found")


@pytest.mark.parametrize("body", [None, {}, {"description": None, "custom_headers": None}])
def test_an_update_of_nothing_changes_nothing(client: Client, body: object) -> None:
    made = create(client)
    options = {} if body is None else {"json": body}
    assert body_of(client.post(f"{PATH}/{made['id']}", **options)) == made


def test_a_name_leads_to_a_config_in_a_list_only(client: Client) -> None:
    create(client)
    assert error_of(client.get(f"{PATH}/example")) == (404, "gateway_config_not_found")
    assert error_of(client.get(f"{PATH}/anthropic")) == (404, "gateway_config_not_found")
    assert listed(client, "?name=exam&limit=100") == ["example"]


def test_configs_of_the_system_end_every_list(client: Client) -> None:
    create(client, "first")
    create(client, "second")
    assert sorted(listed(client)) == sorted(["first", "second", *SYSTEM])
    assert listed(client)[:2] == ["second", "first"]
    assert listed(client, "?name=anthropic") == ["anthropic"]
    assert listed(client, "?search=GITHUB") == [name for name in listed(client) if "github" in name]


def test_a_page_follows_the_one_before_over_the_end_of_the_accounts_own(client: Client) -> None:
    for number in range(3):
        create(client, f"config {number}")
    found, after = [], ""
    for _ in range(10):
        page = body_of(client.get(f"{PATH}?limit=2{after}"))
        assert page["total_count"] == 3 + len(SYSTEM)
        found += [each["name"] for each in page["gateway_configs"]]
        if not page["has_more"]:
            break
        after = f"&starting_after={page['gateway_configs'][-1]['id']}"
    assert found == listed(client)


def test_a_config_of_the_system_is_read_only(client: Client) -> None:
    shown = body_of(client.get(f"{PATH}?name=anthropic"))["gateway_configs"][0]
    assert shown["account_id"] is None
    assert shown["auth_mechanism"] == {"type": "header", "key": "x-api-key"}
    assert body_of(client.get(f"{PATH}/{shown['id']}")) == shown
    for path in (f"{PATH}/{shown['id']}", f"{PATH}/{shown['id']}/delete"):
        assert error_of(client.post(path, json={})) == (403, "gateway_config_read_only")


@pytest.mark.parametrize("name", ["example", "anthropic", "Anthropic"])
def test_a_name_is_given_once(client: Client, name: str) -> None:
    create(client)
    other = create(client, "other")
    body = {"name": name, "endpoint": "https://evil.example", "auth_mechanism": {"type": "bearer"}}
    assert error_of(client.post(PATH, json=body)) == (400, "gateway_config_name_exists")
    renamed = client.post(f"{PATH}/{other['id']}", json={"name": name})
    assert error_of(renamed) == (400, "gateway_config_name_exists")
    assert body_of(client.get(f"{PATH}/{other['id']}")) == other


def test_two_accounts_may_use_one_name(client: Client, account: Account) -> None:
    create(client)
    other = account.deployment.new_account().client()
    assert listed(other, "?name=example") == []
    made = create(other)
    assert error_of(client.get(f"{PATH}/{made['id']}")) == (404, "gateway_config_not_found")
    deleted = client.post(f"{PATH}/{made['id']}/delete")
    assert error_of(deleted) == (404, "gateway_config_not_found")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.example.com",
        "https://user@api.example.com",
        "https://user:password@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://api.example.com/a/../b",
        "https://api.example.com/a//b",
        "https://api.example.com/%2e%2e/",
        "https://api.example.com\\@evil.example",
        "https://api.example.com:0",
        "https://api.example.com:99999",
        "https://2130706433",
        "https://0x7f.1",
        "https://127.1",
        "https://api..example.com",
        "https://-a.example.com",
        "https://bücher.example",
        "https://gw.example.com",
        "https://",
        "api.example.com",
        "ftp://api.example.com",
        "https://api.example.com/ ",
        "https://" + "a." * 130 + "example",
        "",
    ],
)
def test_an_endpoint_with_two_readings_is_refused(client: Client, endpoint: str) -> None:
    message = refused(client, endpoint=endpoint)
    assert message.startswith("The gateway config is not valid: endpoint must")
    assert not endpoint or endpoint not in message


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("https://API.Example.com/", "https://api.example.com"),
        ("https://api.example.com:443/v1/", "https://api.example.com/v1"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://[2001:DB8::1]/v1", "https://[2001:db8::1]/v1"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_endpoint_is_stored_in_one_form(client: Client, sent: str, stored: str) -> None:
    assert create(client, endpoint=sent)["endpoint"] == stored


@pytest.mark.parametrize(
    ("auth", "rule"),
    [
        ({"type": "header"}, "auth_mechanism.key"),
        ({"type": "bearer", "key": "x-key"}, "auth_mechanism.key"),
        ({"type": "header", "key": "Host"}, "auth_mechanism.key"),
        ({"type": "header", "key": "Cookie"}, "auth_mechanism.key"),
        ({"type": "header", "key": "X-Forwarded-For"}, "auth_mechanism.key"),
        ({"type": "header", "key": "Transfer-Encoding"}, "auth_mechanism.key"),
        ({"type": "header", "key": "x_key"}, "auth_mechanism.key"),
        ({"type": "header", "key": "a\r\nb"}, "auth_mechanism.key"),
        ({"type": "other"}, "auth_mechanism.type"),
    ],
)
def test_a_mechanism_that_cannot_be_sent_is_refused(
    client: Client, auth: dict[str, str], rule: str
) -> None:
    assert rule in refused(client, auth_mechanism=auth)


@pytest.mark.parametrize(
    "headers",
    [
        [{"name": "x-a", "value": str(number)} for number in range(2)],
        [{"name": "Authorization", "value": "x"}],
        [{"name": "x-a"}],
        [{"name": "x-a", "value": "x", "secret": "A"}],
        [{"name": "x-a", "value": "x\r\ny"}],
        [{"name": "x-a", "value": " x"}],
        [{"name": "connection", "value": "x"}],
        [{"name": f"x-{number}", "value": "x"} for number in range(9)],
    ],
)
def test_custom_headers_that_cannot_be_sent_are_refused(
    client: Client, headers: list[dict[str, str]]
) -> None:
    assert "custom_headers" in refused(client, custom_headers=headers)


def test_a_custom_header_names_a_secret_by_its_id(client: Client) -> None:
    secret = client.create("A")
    made = create(
        client,
        custom_headers=[{"name": "x-a", "secret": "A"}, {"name": "x-b", "secret": secret["id"]}],
    )
    assert made["custom_headers"] == [
        {"name": "x-a", "secret": secret["id"]},
        {"name": "x-b", "secret": secret["id"]},
    ]
    path = f"{PATH}/{made['id']}"
    kept = body_of(client.post(path, json={"description": "x"}))
    assert kept["custom_headers"] == made["custom_headers"]
    assert body_of(client.post(path, json={"custom_headers": []}))["custom_headers"] == []


def test_a_custom_header_with_a_secret_that_is_not_there_is_refused(client: Client) -> None:
    answer = client.post(
        PATH,
        json={
            "name": "example",
            "endpoint": "https://api.example.com",
            "auth_mechanism": {"type": "bearer"},
            "custom_headers": [{"name": "x-a", "secret": "MISSING"}],
        },
    )
    assert error_of(answer) == (404, "secrets_missing")


def test_a_mechanism_may_not_take_the_name_of_a_custom_header(client: Client) -> None:
    made = create(client, custom_headers=[{"name": "X-Key", "value": "x"}])
    auth = {"type": "header", "key": "x-key"}
    answer = client.post(f"{PATH}/{made['id']}", json={"auth_mechanism": auth})
    assert error_of(answer) == (400, "invalid_request")


def test_our_extensions_are_stored_and_taken_away_by_empty_lists(client: Client) -> None:
    more: dict[str, Any] = {
        "allow": [{"methods": ["GET", "POST"], "path": "/v1/**"}],
        "deny": [{"path": "/v1/keys"}],
        "secrets": ["A", "PREFIX*"],
        "deny_query": ["key"],
        "scrub": False,
    }
    made = create(client, **more)
    assert {name: made[name] for name in more} == more
    cleared = client.post(
        f"{PATH}/{made['id']}", json={"allow": [], "deny": [], "secrets": [], "deny_query": []}
    )
    found = body_of(cleared)
    assert [found[name] for name in ("allow", "deny", "secrets", "deny_query")] == [
        *(None, None, None),
        [],
    ]
    assert found["scrub"] is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allow", [{"path": "no slash"}]),
        ("allow", [{"methods": ["get"], "path": "/"}]),
        ("allow", [{"path": "/x"}] * 65),
        ("deny", [{"path": "/" + "x" * 600}]),
        ("secrets", ["not a name"]),
        ("secrets", ["A"] * 65),
        ("deny_query", ["a b"]),
        ("name", ""),
        ("name", " x"),
        ("name", "x\n"),
        ("name", "x" * 256),
        ("name", "gwc_0000000000000000000000"),
        ("description", "x" * 2001),
        ("description", "\x00"),
        ("scrub", "true"),
        ("scrub", 1),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(
    client: Client, field: str, value: object
) -> None:
    assert field in refused(client, **{field: value})


def test_an_unknown_field_is_refused(client: Client) -> None:
    assert "unknown" in refused(client, headers=[])


def test_a_repeated_create_gets_the_same_answer(client: Client) -> None:
    body = {
        "name": "once",
        "endpoint": "https://api.example.com",
        "auth_mechanism": {"type": "header", "key": "x-api-key"},
        "custom_headers": [{"name": "x-a", "value": "b"}],
        "secrets": ["A*"],
    }
    headers = {"x-request-id": "a-create"}
    first = client.post(PATH, json=body, headers=headers)
    assert body_of(client.post(PATH, json=body, headers=headers)) == body_of(first)
    path = f"{PATH}/{body_of(first)['id']}/delete"
    gone = [body_of(client.post(path, headers={"x-request-id": "a-delete"})) for _ in range(2)]
    assert gone == [body_of(first)] * 2
