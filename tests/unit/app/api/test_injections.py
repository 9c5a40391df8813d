"""Injections over HTTP: made with an API key, redeemed with their token alone, once."""

from typing import Any

import pytest

from app.domain.ids import INJECTION, is_id
from tests.support.api_deployment import Account, ApiDeployment, Client, body_of, error_of

NONCE = "n" * 22


@pytest.fixture
def holder(client: Client) -> Client:
    """A client whose account keeps two secrets."""
    client.create("DATABASE_PASSWORD", "first value")
    client.create("API_TOKEN", "second value")
    return client


def inject(client: Client, secrets: dict[str, str], **options: Any) -> dict[str, Any]:
    made = client.post("/v1/injections", json={"secrets": secrets, **options})
    assert made.status_code == 200, made.text
    return body_of(made)


def bearer(deployment: ApiDeployment, token: str) -> Client:
    return Client(deployment.app, token)


def test_a_token_gives_the_values_by_variable(deployment: ApiDeployment, holder: Client) -> None:
    made = inject(holder, {"DB_PASS": "DATABASE_PASSWORD", "TOKEN": "API_TOKEN"})

    redeemed = bearer(deployment, made["token"]).post("/v1/injections/redeem")

    assert body_of(redeemed) == {"environment": {"DB_PASS": "first value", "TOKEN": "second value"}}


def test_a_secret_can_be_named_by_its_id(deployment: ApiDeployment, holder: Client) -> None:
    secret_id = holder.get("/v1/secrets/API_TOKEN").get_json()["id"]
    made = inject(holder, {"TOKEN": secret_id})

    redeemed = bearer(deployment, made["token"]).post("/v1/injections/redeem", json={})

    assert body_of(redeemed) == {"environment": {"TOKEN": "second value"}}


@pytest.mark.parametrize(("options", "seconds"), [({}, 300), ({"ttl_seconds": 86_400}, 86_400)])
def test_a_token_lives_for_five_minutes_or_as_long_as_was_asked_for(
    holder: Client, options: dict[str, Any], seconds: int
) -> None:
    made = inject(holder, {"TOKEN": "API_TOKEN"}, **options)
    shown = body_of(holder.get(f"/v1/injections/{made['id']}"))
    assert made["expires_at_ms"] - shown["create_time_ms"] == 1000 * seconds


def test_a_second_redemption_is_refused(deployment: ApiDeployment, holder: Client) -> None:
    token = inject(holder, {"TOKEN": "API_TOKEN"})["token"]
    first = bearer(deployment, token).post("/v1/injections/redeem")
    assert first.status_code == 200

    second = bearer(deployment, token).post("/v1/injections/redeem")

    assert error_of(second) == (401, "injection_refused")
    assert second.headers["WWW-Authenticate"] == "Bearer"


def test_a_lost_answer_is_had_again_with_its_nonce(
    deployment: ApiDeployment, holder: Client
) -> None:
    redeemer = bearer(deployment, inject(holder, {"TOKEN": "API_TOKEN"})["token"])
    body = {"redeem_nonce": NONCE}
    redeemer.post("/v1/injections/redeem", json=body)

    again = redeemer.post("/v1/injections/redeem", json=body)

    assert body_of(again) == {"environment": {"TOKEN": "second value"}}


@pytest.mark.parametrize("token", ["", "injt_x", "ak_x", "injt_" + "0" * 95])
def test_what_is_no_token_redeems_nothing(deployment: ApiDeployment, token: str) -> None:
    answer = bearer(deployment, token).post("/v1/injections/redeem")

    assert error_of(answer) == (401, "injection_refused")


def test_an_api_key_redeems_nothing(holder: Client) -> None:
    assert error_of(holder.post("/v1/injections/redeem")) == (401, "injection_refused")


def test_a_token_opens_nothing_else(deployment: ApiDeployment, holder: Client) -> None:
    token = inject(holder, {"TOKEN": "API_TOKEN"})["token"]

    assert error_of(bearer(deployment, token).get("/v1/secrets")) == (401, "unauthenticated")


def test_all_missing_secrets_are_named_and_none_is_taken(holder: Client) -> None:
    wanted = {"A": "NOT_HERE", "B": "API_TOKEN", "C": "NEITHER"}

    answer = holder.post("/v1/injections", json={"secrets": wanted})

    assert error_of(answer) == (404, "secrets_missing")
    assert "NEITHER, NOT_HERE" in answer.get_json()["message"]
    assert holder.get("/v1/injections").get_json()["injections"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"secrets": {}},
        {"secrets": {"A": "B"} | {f"V{i}": "API_TOKEN" for i in range(256)}},
        {"secrets": ["API_TOKEN"]},
        {"secrets": {"A": 1}},
        {"secrets": {"A": None}},
        {"secrets": {"1A": "API_TOKEN"}},
        {"secrets": {"A=B": "API_TOKEN"}},
        {"secrets": {"A\n": "API_TOKEN"}},
        {"secrets": {"A": "not a name"}},
        {"secrets": {"A": "API_TOKEN"}, "ttl_seconds": 0},
        {"secrets": {"A": "API_TOKEN"}, "ttl_seconds": 86401},
        {"secrets": {"A": "API_TOKEN"}, "ttl_seconds": "300"},
        {"secrets": {"A": "API_TOKEN"}, "ttl": 300},
    ],
)
def test_a_request_that_breaks_a_rule_makes_nothing(holder: Client, body: Any) -> None:
    answer = holder.post("/v1/injections", json=body)

    assert error_of(answer) == (400, "invalid_request")
    assert holder.get("/v1/injections").get_json()["injections"] == []


@pytest.mark.parametrize("nonce", ["n" * 21, "n" * 129, "n" * 21 + " ", "é" * 22, 5, None])
def test_a_bad_nonce_leaves_the_token_unused(
    deployment: ApiDeployment, holder: Client, nonce: Any
) -> None:
    redeemer = bearer(deployment, inject(holder, {"TOKEN": "API_TOKEN"})["token"])

    refused = redeemer.post("/v1/injections/redeem", json={"redeem_nonce": nonce})

    assert error_of(refused) == (400, "invalid_request")
    assert redeemer.post("/v1/injections/redeem").status_code == 200


def test_a_view_tells_when_and_from_where_it_was_redeemed(
    deployment: ApiDeployment, holder: Client
) -> None:
    made = inject(holder, {"TOKEN": "API_TOKEN"})
    pending = holder.get(f"/v1/injections/{made['id']}").get_json()
    bearer(deployment, made["token"]).post("/v1/injections/redeem")

    redeemed = holder.get(f"/v1/injections/{made['id']}").get_json()

    assert is_id(made["id"], INJECTION)
    assert pending["status"] == "pending"
    assert pending["redeemed_at_ms"] is None
    assert pending["secrets"] == {"TOKEN": "API_TOKEN"}
    assert redeemed["status"] == "redeemed"
    assert redeemed["redeemed_at_ms"] >= pending["create_time_ms"]
    assert redeemed["redeemed_from"] == "127.0.0.1"


def test_a_list_is_newest_first_and_paged(holder: Client) -> None:
    ids = [inject(holder, {"TOKEN": "API_TOKEN"})["id"] for _ in range(3)][::-1]

    first = holder.get("/v1/injections?limit=2").get_json()
    second = holder.get(f"/v1/injections?limit=2&starting_after={ids[1]}").get_json()

    assert [each["id"] for each in first["injections"]] == ids[:2]
    assert first["has_more"] is True
    assert [each["id"] for each in second["injections"]] == ids[2:]
    assert second["has_more"] is False


def test_a_revoked_injection_redeems_nothing(deployment: ApiDeployment, holder: Client) -> None:
    made = inject(holder, {"TOKEN": "API_TOKEN"})

    revoked = holder.post(f"/v1/injections/{made['id']}/revoke")

    assert revoked.get_json()["status"] == "revoked"
    redeemed = bearer(deployment, made["token"]).post("/v1/injections/redeem")
    assert error_of(redeemed) == (401, "injection_refused")


def test_another_accounts_injection_is_as_if_it_did_not_exist(
    deployment: ApiDeployment, holder: Client
) -> None:
    made = inject(holder, {"TOKEN": "API_TOKEN"})
    other = deployment.new_account().client()

    assert error_of(other.get(f"/v1/injections/{made['id']}")) == (404, "injection_not_found")
    assert error_of(other.post(f"/v1/injections/{made['id']}/revoke")) == (
        404,
        "injection_not_found",
    )


def test_another_accounts_secret_is_missing(deployment: ApiDeployment, holder: Client) -> None:
    other = deployment.new_account().client()

    answer = other.post("/v1/injections", json={"secrets": {"TOKEN": "API_TOKEN"}})

    assert error_of(answer) == (404, "secrets_missing")


def test_a_retried_creation_answers_the_same_token(account: Account) -> None:
    client = account.client()
    client.create("API_TOKEN")
    body = {"secrets": {"TOKEN": "API_TOKEN"}}
    again = {"headers": {"x-request-id": "the-same"}}

    first = client.post("/v1/injections", json=body, **again)
    second = client.post("/v1/injections", json=body, **again)

    assert body_of(first) == body_of(second)
    assert len(client.get("/v1/injections").get_json()["injections"]) == 1


def test_a_large_body_is_refused_before_the_token_is_looked_at(deployment: ApiDeployment) -> None:
    large = b'{"redeem_nonce": "' + b"n" * 5000 + b'"}'

    answer = bearer(deployment, "injt_x").post_bytes("/v1/injections/redeem", large)

    assert error_of(answer) == (413, "body_too_large")


def test_a_damaged_injection_is_shown_as_damaged_and_nothing_that_it_says(
    account: Account, holder: Client
) -> None:
    made = [inject(holder, {"TOKEN": "API_TOKEN"})["id"] for _ in range(3)]
    with account.deployment.rows() as rows:
        rows.execute("UPDATE injections SET redeemed_from = 'a lie' WHERE id = ?", [made[1]])
    shown = body_of(holder.get(f"/v1/injections/{made[1]}"))
    assert shown == {
        "id": made[1],
        "status": "damaged",
        "secrets": {},
        "gateways": {},
        "create_time_ms": 0,
        "expires_at_ms": 0,
        "redeemed_at_ms": None,
        "redeemed_from": None,
    }
    listed = body_of(holder.get("/v1/injections"))
    assert [each["status"] for each in listed["injections"]] == ["pending", "damaged", "pending"]


def test_a_list_of_injections_ends_at_1_mib(holder: Client) -> None:
    variables = {f"V{number:080}": "API_TOKEN" for number in range(240)}
    for _ in range(60):
        inject(holder, variables)
    answered = holder.get("/v1/injections?limit=5000")
    assert body_of(answered)["has_more"] is True
    assert 400_000 < len(answered.data) <= 1024 * 1024


def test_gateway_tokens_come_with_the_values(deployment: ApiDeployment, holder: Client) -> None:
    gateways = {"ANTHROPIC": {"gateway": "anthropic", "secret": "API_TOKEN"}}
    made = inject(holder, {"DB_PASS": "DATABASE_PASSWORD"}, gateways=gateways)
    environment = body_of(bearer(deployment, made["token"]).post("/v1/injections/redeem"))[
        "environment"
    ]
    shown = body_of(holder.get(f"/v1/injections/{made['id']}"))["gateways"]["ANTHROPIC"]
    assert environment["DB_PASS"] == "first value"
    assert environment["ANTHROPIC"].startswith("gws_")
    assert environment["ANTHROPIC_URL"] == f"https://gw.example.com/{shown['gateway']}"
    assert shown["secret"] == "API_TOKEN"


@pytest.mark.parametrize(
    ("gateways", "error"),
    [
        ([], (400, "invalid_request")),
        ({"A": "anthropic"}, (400, "invalid_request")),
        ({"A": {"gateway": "anthropic"}}, (400, "invalid_request")),
        ({"A": {"gateway": "anthropic", "secret": "API_TOKEN", "x": 1}}, (400, "invalid_request")),
        ({"A-B": {"gateway": "anthropic", "secret": "API_TOKEN"}}, (400, "invalid_request")),
        ({"A": {"gateway": "none", "secret": "API_TOKEN"}}, (404, "gateway_config_not_found")),
        ({"A": {"gateway": "anthropic", "secret": "NONE"}}, (404, "secrets_missing")),
    ],
)
def test_gateways_that_could_not_be_used_are_refused(
    holder: Client, gateways: object, error: tuple[int, str]
) -> None:
    refused = holder.post("/v1/injections", json={"secrets": {}, "gateways": gateways})
    assert error_of(refused) == error


def test_an_injection_shows_the_terms_of_its_gateways(holder: Client) -> None:
    terms = {
        "ttl_seconds": 60,
        "allow": [{"methods": ["GET"], "path": "/v1/**"}, {"path": "/v2"}],
        "limits": {"requests_per_minute": 5, "in_flight": None, "requests": None},
    }
    entry = {"gateway": "anthropic", "secret": "API_TOKEN"}
    gateways = {"A": {**entry, **terms}, "B": {**entry, "ttl_seconds": None, "limits": None}}
    made = inject(holder, {}, gateways=gateways)
    shown = body_of(holder.get(f"/v1/injections/{made['id']}"))["gateways"]
    assert {name: shown["A"].get(name) for name in terms} == terms
    assert shown["B"].keys() == {"gateway", "secret"}


def test_null_stands_for_no_gateways(holder: Client) -> None:
    made = inject(holder, {"TOKEN": "API_TOKEN"}, gateways=None)
    assert body_of(holder.get(f"/v1/injections/{made['id']}"))["gateways"] == {}
