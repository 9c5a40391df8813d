"""Gateway tokens that come with an injection: minted, repeated and revoked with it."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.errors import (
    InjectionRefused,
    InvalidRequest,
    ScopeMissing,
    SecretsMissing,
)
from app.domain.gateways import refusals
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.errors import (
    GatewayConfigNotFound,
    GatewayNotConfigured,
    GatewayTokenLimitReached,
    SecretNotForGateway,
)
from app.domain.gateways.rules import Rule
from app.domain.gateways.terms import TokenTerms
from app.domain.gateways.tokens import TokenFilter, TokenLimits, TokenPin
from app.domain.injections import MAX_GATEWAYS, GatewayChoice, GatewayChoices, IssuedInjection
from app.domain.redaction import Redacted
from app.services.gateways import injected_tokens
from app.services.keys.system_key import SystemKey
from backends.errors import KeyUnavailable
from tests.support.databases import Rows
from tests.support.deployment import ADDRESS, GATEWAY_URL, Deployment, Tenant, revoke, with_key
from tests.support.gateway.stored import admit, replace_config, store_config

NONCE = "n" * 22


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    tenant.create("KEY", "canary-7f3a9d")
    tenant.create("OTHER", "another value")
    return tenant


@pytest.fixture
def config(stocked: Tenant) -> GatewayConfig:
    return store_config(stocked)


def choices(config: GatewayConfig, name: str = "KEY") -> dict[str, GatewayChoice]:
    return {"API": GatewayChoice(config.id, name)}


def inject(
    tenant: Tenant, gateways: GatewayChoices, secrets: dict[str, str] | None = None
) -> IssuedInjection:
    return tenant.services.injections.create(tenant.caller, secrets or {}, 300, None, gateways)


def is_admitted(tenant: Tenant, token: str) -> bool:
    try:
        admit(tenant.services, Redacted(token))
    except refusals.TokenRefused:
        return False
    return True


def test_redemption_mints_a_token_that_is_admitted(stocked: Tenant, config: GatewayConfig) -> None:
    environment = stocked.redeem(inject(stocked, choices(config), {"OTHER": "OTHER"}).token)
    assert environment.keys() == {"API", "API_URL", "OTHER"}
    assert environment["API_URL"] == f"{GATEWAY_URL}/{config.id}"
    admitted = admit(stocked.services, Redacted(environment["API"]))
    assert [value.reveal() for _, value in admitted.headers] == ["Bearer canary-7f3a9d"]


def test_config_and_secret_are_named_by_id_or_by_name(
    stocked: Tenant, config: GatewayConfig
) -> None:
    chosen = {
        "A": GatewayChoice(config.name, "KEY"),
        "B": GatewayChoice("anthropic", stocked.create("THIRD").id),
    }
    environment = stocked.redeem(inject(stocked, chosen).token)
    assert environment.keys() == {"A", "A_URL", "B", "B_URL"}


def test_the_environment_holds_no_value_of_a_secret_behind_a_gateway(
    stocked: Tenant, config: GatewayConfig
) -> None:
    environment = stocked.redeem(inject(stocked, choices(config)).token)
    assert "canary" not in str(environment)


def test_nothing_is_minted_before_the_redemption(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config))
    assert rows.all("gateway_tokens") == []
    stocked.redeem(issued.token)
    (row,) = rows.all("gateway_tokens")
    assert (row["injection_id"], row["devbox_id"]) == (issued.id, issued.id)


def test_a_token_is_bound_to_the_address_of_its_first_use(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    environment = stocked.redeem(inject(stocked, choices(config)).token)
    assert [row["pin"] for row in rows.all("gateway_tokens")] == [TokenPin.FIRST_USE]
    token = Redacted(environment["API"])
    admit(stocked.services, token, address="192.0.2.9")
    with pytest.raises(refusals.SourceRefused):
        admit(stocked.services, token, address=ADDRESS)


TERMS = TokenTerms(
    ttl_seconds=60,
    allow=(Rule(("POST",), "/v1/messages"),),
    limits=TokenLimits(requests=1),
)


def test_the_terms_of_an_entry_are_those_of_its_token(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    chosen = {"API": GatewayChoice(config.id, "KEY", TERMS), "B": GatewayChoice(config.id, "KEY")}
    environment = stocked.redeem(inject(stocked, chosen).token)
    lives = {row["expires_at_ms"] - row["created_at_ms"] for row in rows.all("gateway_tokens")}
    assert lives == {60_000, 24 * 60 * 60 * 1000}
    token = Redacted(environment["API"])
    with pytest.raises(refusals.RequestNotAllowed):
        admit(stocked.services, token, path="/v1/models")
    admit(stocked.services, token)
    with pytest.raises(refusals.BudgetSpent):
        admit(stocked.services, token)
    admit(stocked.services, Redacted(environment["B"]), path="/v1/models")


def test_an_entry_without_terms_is_stored_without_them(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    """As it was before there were terms, so that workers of then redeem it, and the reverse."""
    inject(
        stocked, {"A": GatewayChoice(config.id, "KEY"), "B": GatewayChoice(config.id, "KEY", TERMS)}
    )
    (row,) = rows.all("injections")
    entries = json.loads(row["secrets"].partition("\n")[2])
    assert [len(each) for each in entries] == [6, 7]


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        (TokenTerms(ttl_seconds=0), "ttl_seconds"),
        (TokenTerms(allow=()), "allow"),
        (TokenTerms(allow=(Rule((), "no slash"),)), "allow"),
        (TokenTerms(limits=TokenLimits(in_flight=0)), "limits.in_flight"),
    ],
    ids=["life", "no rules", "rules", "limits"],
)
def test_terms_that_no_token_may_have_are_refused_when_it_is_made(
    stocked: Tenant, config: GatewayConfig, terms: TokenTerms, named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named):
        inject(stocked, {"API": GatewayChoice(config.id, "KEY", terms)})


def test_rules_that_no_injection_has_room_for_are_refused_by_their_name(
    stocked: Tenant, config: GatewayConfig
) -> None:
    rules = tuple(Rule((), f"/{'x' * 500}{number}") for number in range(64))
    chosen = GatewayChoice(config.id, "KEY", TokenTerms(allow=rules))
    with pytest.raises(InvalidRequest, match="gateways"):
        inject(stocked, {"API": chosen, "B": chosen})


def test_a_repeated_nonce_gets_the_same_token_from_any_process(
    deployment: Deployment, stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config))
    first = stocked.redeem(issued.token, NONCE)
    other = stocked.at(deployment.process())
    assert other.redeem(issued.token, NONCE) == first
    assert len(rows.all("gateway_tokens")) == 1


def test_another_nonce_gets_no_token(stocked: Tenant, config: GatewayConfig) -> None:
    issued = inject(stocked, choices(config))
    stocked.redeem(issued.token, NONCE)
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token, "m" * 22)


def test_two_injections_get_different_tokens(stocked: Tenant, config: GatewayConfig) -> None:
    tokens = {
        stocked.redeem(inject(stocked, choices(config)).token, NONCE)["API"] for _ in range(2)
    }
    assert len(tokens) == 2


def test_the_database_holds_nothing_of_a_token(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config))
    token = stocked.redeem(issued.token, NONCE)["API"]
    secret = token.rpartition("_")[2][:43]
    assert secret not in str(rows.all("gateway_tokens") + rows.all("injections"))


def test_revoking_the_injection_ends_its_token(stocked: Tenant, config: GatewayConfig) -> None:
    issued = inject(stocked, choices(config))
    token = stocked.redeem(issued.token, NONCE)["API"]
    assert is_admitted(stocked, token)
    stocked.services.injections.revoke(stocked.caller, issued.id, None)
    assert not is_admitted(stocked, token)
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token, NONCE)


def test_the_tokens_of_an_injection_are_revoked_by_its_id_as_a_box(
    stocked: Tenant, config: GatewayConfig
) -> None:
    issued = inject(stocked, choices(config))
    token = stocked.redeem(issued.token)["API"]
    assert stocked.services.gateway_tokens.revoke_box(stocked.caller, issued.id, None) == 1
    assert not is_admitted(stocked, token)


def test_a_damaged_token_does_not_keep_the_injection_from_being_revoked(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config) | {"B": GatewayChoice(config.id, "OTHER")})
    environment = stocked.redeem(issued.token, NONCE)
    rows.execute("UPDATE gateway_tokens SET used = 5 WHERE secret_name = 'KEY'")
    stocked.services.injections.revoke(stocked.caller, issued.id, None)
    assert not is_admitted(stocked, environment["API"])
    assert not is_admitted(stocked, environment["B"])


def test_the_token_expires_with_the_key_that_made_the_injection(
    deployment: Deployment, stocked: Tenant, config: GatewayConfig
) -> None:
    ends_ms = deployment.clock.now_ms + 60_000
    short = with_key(stocked.services, stocked.caller.account_id, expires_at_ms=ends_ms)
    stocked.redeem(inject(short, choices(config)).token)
    page = stocked.services.gateway_tokens.list(stocked.caller, TokenFilter(), 10, None)
    assert [each.token.expires_at_ms for each in page.tokens] == [ends_ms]  # type: ignore[union-attr]


def test_the_token_dies_with_the_key_that_made_the_injection(
    stocked: Tenant, config: GatewayConfig
) -> None:
    key = with_key(stocked.services, stocked.caller.account_id)
    token = stocked.redeem(inject(key, choices(config)).token)["API"]
    revoke(key)
    assert not is_admitted(stocked, token)


@pytest.mark.parametrize(
    ("gateway", "secret", "error"),
    [
        ("no such config", "KEY", GatewayConfigNotFound),
        ("gwc_0000000000000000000001", "KEY", GatewayConfigNotFound),
        ("anthropic", "MISSING", SecretsMissing),
        ("anthropic", "\x00", SecretsMissing),
    ],
    ids=["config by name", "config by id", "secret", "no name"],
)
def test_what_does_not_exist_is_refused_when_the_injection_is_made(
    stocked: Tenant, rows: Rows, gateway: str, secret: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        inject(stocked, {"API": GatewayChoice(gateway, secret)})
    assert rows.all("injections") == []


@pytest.mark.parametrize(
    ("prefixes", "secrets"),
    [
        (["1API"], {}),
        (["API", "API_URL"], {}),
        (["API"], {"API": "KEY"}),
        (["API"], {"API_URL": "KEY"}),
        (["A" * 252], {}),
        ([f"API{number}" for number in range(MAX_GATEWAYS + 1)], {}),
        ([], {}),
    ],
    ids=["no name", "own url", "a secret", "url of a secret", "long", "many", "nothing"],
)
def test_variables_that_could_not_be_set_are_refused(
    stocked: Tenant, config: GatewayConfig, prefixes: list[str], secrets: dict[str, str]
) -> None:
    gateways = {prefix: GatewayChoice(config.id, "KEY") for prefix in prefixes}
    with pytest.raises(InvalidRequest):
        inject(stocked, gateways, secrets)


def test_a_server_without_a_gateway_refuses_them(
    deployment: Deployment, stocked: Tenant, config: GatewayConfig
) -> None:
    with pytest.raises(GatewayNotConfigured):
        inject(stocked.at(deployment.process(STRONGROOM_GATEWAY_URL="")), choices(config))


def test_a_gateway_that_was_taken_away_leaves_the_token_unused(
    deployment: Deployment, stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config))
    with pytest.raises(GatewayNotConfigured):
        stocked.at(deployment.process(STRONGROOM_GATEWAY_URL="")).redeem(issued.token)
    assert rows.all("gateway_tokens") == []
    assert "API" in stocked.redeem(issued.token)


def test_a_key_without_the_scope_is_refused(stocked: Tenant, config: GatewayConfig) -> None:
    scopes = ALL_SCOPES - {Scope.GATEWAYS_USE}
    key = with_key(stocked.services, stocked.caller.account_id, scopes=scopes)
    with pytest.raises(ScopeMissing):
        inject(key, choices(config))


def test_a_limited_key_mints_for_its_names_only(stocked: Tenant, config: GatewayConfig) -> None:
    scopes = frozenset({Scope.SECRETS_INJECT, Scope.GATEWAYS_USE})
    issued = stocked.services.api_keys.issue(
        stocked.caller.account_id, name="ci", scopes=scopes, names=NameLimit.of(["KEY"])
    )
    caller = stocked.services.authentication.authenticate(issued.token)
    limited = Tenant(stocked.services, issued, caller)
    assert is_admitted(limited, limited.redeem(inject(limited, choices(config)).token)["API"])
    with pytest.raises(SecretsMissing):
        inject(limited, choices(config, "OTHER"))


def test_a_config_may_refuse_the_secret(stocked: Tenant) -> None:
    config = store_config(stocked, secrets=NameLimit.of(["OTHER"]))
    with pytest.raises(SecretNotForGateway):
        inject(stocked, choices(config))


Change = Callable[[Tenant, GatewayConfig], object]
_CHANGES: dict[str, Change] = {
    "the secret is deleted": lambda tenant, _: tenant.delete("KEY"),
    "the config points elsewhere": lambda tenant, config: replace_config(
        tenant, replace(config, endpoint="https://evil.example.com")
    ),
    "the config takes other secrets": lambda tenant, config: replace_config(
        tenant, replace(config, secrets=NameLimit.of(["OTHER"]))
    ),
    "the config is deleted": lambda tenant, config: tenant.services.gateway_configs.delete(
        tenant.caller, config.id, None
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_what_changed_since_the_injection_was_made_refuses_its_redemption(
    stocked: Tenant, config: GatewayConfig, rows: Rows, change: str
) -> None:
    issued = inject(stocked, choices(config))
    _CHANGES[change](stocked, config)
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token)
    assert rows.all("gateway_tokens") == []


def test_an_edited_map_is_refused(stocked: Tenant, config: GatewayConfig, rows: Rows) -> None:
    issued = inject(stocked, choices(config))
    (row,) = rows.all("injections")
    other = store_config(stocked, "https://evil.example.com")
    edited = row["secrets"].replace(config.id, other.id)
    edited = edited.replace(config.pin.hex(), other.pin.hex())
    assert edited != row["secrets"]
    rows.execute("UPDATE injections SET secrets = ?", [edited])
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token)


def test_a_key_with_too_many_live_tokens_leaves_the_injection_unused(
    stocked: Tenant, config: GatewayConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(injected_tokens, "MAX_LIVE_TOKENS", 1)
    first, second = inject(stocked, choices(config)), inject(stocked, choices(config))
    stocked.redeem(first.token)
    with pytest.raises(GatewayTokenLimitReached):
        stocked.redeem(second.token)
    stocked.services.injections.revoke(stocked.caller, first.id, None)
    assert "API" in stocked.redeem(second.token)


def test_the_injection_shows_config_and_secret(stocked: Tenant, config: GatewayConfig) -> None:
    issued = inject(stocked, choices(config), {"OTHER": "OTHER"})
    shown = stocked.services.injections.get(stocked.caller, issued.id).injection
    assert [(each.prefix, each.config_id, each.secret_name) for each in shown.gateways] == [
        ("API", config.id, "KEY")
    ]
    assert [each.variable for each in shown.secrets] == ["OTHER"]


def test_nothing_is_minted_once_no_provider_opens_the_system_key(
    stocked: Tenant, config: GatewayConfig, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = inject(stocked, choices(config))

    def refuse(_: SystemKey) -> None:
        raise KeyUnavailable("The system data key was not opened lately.")

    with monkeypatch.context() as patched:
        patched.setattr(SystemKey, "require_proof", refuse)
        with pytest.raises(KeyUnavailable):
            stocked.redeem(issued.token)
    assert rows.all("gateway_tokens") == []
    assert "API" in stocked.redeem(issued.token)


def test_a_damaged_token_is_not_repeated(
    stocked: Tenant, config: GatewayConfig, rows: Rows
) -> None:
    issued = inject(stocked, choices(config))
    stocked.redeem(issued.token, NONCE)
    rows.execute("UPDATE gateway_tokens SET used = 5")
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token, NONCE)
