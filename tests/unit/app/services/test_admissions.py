"""Admission: each refusal of one request, and what is written before a credential leaves."""

import base64
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import Scope
from app.domain.errors import RateLimited, StorageUnavailable, TamperedRow
from app.domain.gateways import refusals
from app.domain.gateways.admissions import UseEnd
from app.domain.gateways.credentials import AuthMechanism, AuthType, CustomHeader
from app.domain.gateways.refusals import AdmissionRefused
from app.domain.gateways.rules import Rule, dump_rules
from app.domain.gateways.targets import AmbiguousPath
from app.domain.gateways.terms import NewGatewayToken
from app.domain.gateways.tokens import TokenLimits, TokenPin, TokenState
from app.domain.gateways.urls import ConfigUrls
from app.domain.redaction import Redacted
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.databases import Rows
from tests.support.deployment import (
    Deployment,
    Tenant,
    child_of,
    readdressed,
    revoke,
    with_key,
)
from tests.support.gateway.stored import (
    Minted,
    admit,
    opened,
    replace_config,
    store_config,
    store_token,
)
from tests.unit.app.services.providers import Scripted

CANARY = "canary-7f3a9d"
OTHER = "canary-other-1"
SECRET = "A_SECRET"
REFUSED = refusals.TokenRefused

Change = Callable[[Tenant, Minted, Rows], object]


@pytest.fixture
def minted(tenant: Tenant) -> Minted:
    """A token of the tenant for a secret, through a config that takes it as bearer."""
    tenant.create(SECRET, CANARY)
    return store_token(tenant, store_config(tenant), SECRET)


def uses(rows: Rows) -> list[Any]:
    return rows.all("gateway_uses")


def refusal(tenant: Tenant, minted: Minted, **changes: Any) -> type[Exception]:
    """The class of the refusal of one request, which must be refused."""
    with pytest.raises((AdmissionRefused, AmbiguousPath, RateLimited)) as caught:
        admit(tenant.services, minted.token, **changes)
    return type(caught.value)


def test_the_credential_comes_with_its_origin_and_its_limits(
    tenant: Tenant, minted: Minted
) -> None:
    admitted = admit(tenant.services, minted.token)
    assert [(name, value.reveal()) for name, value in admitted.headers] == [
        ("Authorization", f"Bearer {CANARY}")
    ]
    assert [each.reveal() for each in admitted.needles] == [CANARY]
    assert admitted.origin.text == "https://api.example.com"
    assert (admitted.in_flight, admitted.scrub, admitted.is_strict) == (8, True, False)


@pytest.mark.parametrize(
    ("auth", "value", "header"),
    [
        (AuthMechanism(AuthType.HEADER, "x-api-key"), "a key", ("x-api-key", "a key")),
        (
            AuthMechanism(AuthType.BASIC),
            "user:päss",
            ("Authorization", "Basic " + base64.b64encode("user:päss".encode()).decode()),
        ),
    ],
    ids=["header", "basic"],
)
def test_a_credential_is_rendered_as_its_config_says(
    tenant: Tenant, auth: AuthMechanism, value: str, header: tuple[str, str]
) -> None:
    tenant.create(SECRET, value)
    minted = store_token(tenant, store_config(tenant, auth=auth), SECRET)
    (name, rendered) = admit(tenant.services, minted.token).headers[0]
    assert (name, rendered.reveal()) == header


def test_the_password_of_a_basic_credential_is_looked_for_alone(tenant: Tenant) -> None:
    tenant.create(SECRET, f"user:{CANARY}")
    config = store_config(tenant, auth=AuthMechanism(AuthType.BASIC))
    admitted = admit(tenant.services, store_token(tenant, config, SECRET).token)
    assert CANARY in [each.reveal() for each in admitted.needles]


def test_custom_headers_come_with_their_secrets(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    other = tenant.create("OTHER", OTHER)
    headers = (
        CustomHeader("x-team", value="a team"),
        CustomHeader("x-other", secret_id=other.id, secret_name="OTHER"),
    )
    minted = store_token(tenant, store_config(tenant, headers=headers), SECRET)
    admitted = admit(tenant.services, minted.token)
    assert {name: value.reveal() for name, value in admitted.headers[1:]} == {
        "x-team": "a team",
        "x-other": OTHER,
    }
    assert OTHER in [each.reveal() for each in admitted.needles]


def test_the_use_is_stored_without_value_token_or_query(
    tenant: Tenant, minted: Minted, rows: Rows
) -> None:
    admit(tenant.services, minted.token, query_names=("page",))
    (stored,) = uses(rows)
    shown = repr(stored)
    assert "/v1/messages" in shown
    assert minted.row.id in shown
    assert CANARY not in shown
    assert minted.token.reveal() not in shown


def test_no_credential_leaves_before_its_use_is_stored(
    tenant: Tenant, minted: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of an admission is the commit, so nothing is left to release before it."""

    def fail(*_: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr("app.repository.sql.gateways.uses.SqlGatewayUses.add", fail)
    with pytest.raises(StorageUnavailable):
        admit(tenant.services, minted.token)


@pytest.mark.parametrize("text", ["", "gws_", "a token", "\n"])
def test_what_is_no_token_is_refused(tenant: Tenant, text: str) -> None:
    with pytest.raises(REFUSED):
        admit(tenant.services, Redacted(text))


CHANGES: dict[str, tuple[Change, type[AdmissionRefused]]] = {
    "key revoked": (lambda tenant, *_: revoke(tenant), REFUSED),
    "token revoked": (
        lambda tenant, minted, _: _replace(tenant, minted, state=TokenState.REVOKED),
        REFUSED,
    ),
    "secret deleted": (lambda tenant, *_: tenant.delete(SECRET), refusals.SecretGone),
    "config pointed elsewhere": (
        lambda tenant, minted, _: _repoint(tenant, minted),
        refusals.ConfigChanged,
    ),
    "config deleted": (
        lambda _, minted, rows: rows.remove("gateway_configs", id=minted.row.config_id),
        refusals.ConfigGone,
    ),
    "config edited in the database": (
        lambda _, minted, rows: rows.edit(
            "gateway_configs", {"id": minted.row.config_id}, endpoint="https://evil.example"
        ),
        REFUSED,
    ),
    "token edited in the database": (
        lambda _, minted, rows: rows.edit(
            "gateway_tokens", {"id": minted.row.id}, expires_at_ms=2**53
        ),
        REFUSED,
    ),
    "account edited in the database": (
        lambda _, minted, rows: rows.edit("accounts", {"id": minted.row.account_id}, devbox=0),
        REFUSED,
    ),
    "gateways stopped": (
        lambda tenant, *_: tenant.services.gateway_switch.stop(),
        refusals.GatewayStopped,
    ),
}


@pytest.mark.parametrize(("change", "error"), CHANGES.values(), ids=CHANGES)
def test_a_change_refuses_the_next_request_and_ends_those_that_run(
    deployment: Deployment,
    tenant: Tenant,
    minted: Minted,
    rows: Rows,
    change: Change,
    error: type[AdmissionRefused],
) -> None:
    other = deployment.process()
    running = admit(other, minted.token).use
    assert other.gateway_uses.recheck([running]) == []
    change(tenant, minted, rows)
    with pytest.raises(error):
        admit(other, minted.token)
    assert other.gateway_uses.recheck([running]) == [(running, error.code)]
    assert len(uses(rows)) == 1


def test_a_key_above_the_minting_one_ends_the_token(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    child = child_of(tenant)
    minted = store_token(child, store_config(tenant), SECRET)
    running = admit(tenant.services, minted.token).use
    revoke(tenant)
    assert refusal(tenant, minted) is REFUSED
    assert tenant.services.gateway_uses.recheck([running]) == [(running, REFUSED.code)]


def test_an_expired_token_says_so(deployment: Deployment, tenant: Tenant, minted: Minted) -> None:
    running = admit(tenant.services, minted.token).use
    deployment.clock.advance(days=1)
    assert refusal(tenant, minted) is refusals.TokenExpired
    expected = [(running, refusals.TokenExpired.code)]
    assert tenant.services.gateway_uses.recheck([running]) == expected


def test_a_token_of_an_expired_key_is_refused(deployment: Deployment, tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    soon = deployment.clock() + 60_000
    brief = with_key(tenant.services, tenant.caller.account_id, expires_at_ms=soon)
    minted = store_token(brief, store_config(tenant), SECRET)
    admit(tenant.services, minted.token)
    deployment.clock.advance(seconds=61)
    assert refusal(tenant, minted) is REFUSED


def test_a_new_value_is_used_at_once(
    deployment: Deployment, tenant: Tenant, minted: Minted
) -> None:
    other = deployment.process()
    admit(other, minted.token)
    tenant.update(SECRET, OTHER)
    assert admit(other, minted.token).headers[0].value.reveal() == f"Bearer {OTHER}"


def test_the_secret_of_another_token_is_refused(tenant: Tenant, minted: Minted) -> None:
    other = store_token(tenant, store_config(tenant), SECRET)
    account, _ = minted.name
    mixed = readdressed(other.token, account_id=account, row_id=minted.row.id)
    assert refusal(tenant, replace(minted, token=mixed)) is REFUSED


def test_a_secret_of_another_name_is_not_sent_in_the_place_of_the_named_one(
    tenant: Tenant, minted: Minted
) -> None:
    other = tenant.create("OTHER", OTHER)
    mixed = store_token(tenant, store_config(tenant), SECRET, secret_id=other.id)
    with pytest.raises(TamperedRow):
        admit(tenant.services, mixed.token)


def test_the_url_of_another_config_is_a_mismatch(tenant: Tenant, minted: Minted) -> None:
    other = store_config(tenant)
    assert refusal(tenant, minted, config_id=other.id) is refusals.GatewayMismatch
    admit(tenant.services, minted.token, config_id=minted.row.config_id)


def test_a_token_is_accepted_from_its_sources_only(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    minted = store_token(tenant, store_config(tenant), SECRET, sources=("203.0.113.0/24",))
    admit(tenant.services, minted.token, address="203.0.113.9")
    assert refusal(tenant, minted, address="198.51.100.1") is refusals.SourceRefused
    assert refusal(tenant, minted, address=None) is refusals.SourceRefused


def test_the_first_use_pins_the_address_and_a_second_one_is_refused(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    minted = store_token(tenant, store_config(tenant), SECRET, pin=TokenPin.FIRST_USE)
    assert refusal(tenant, minted, address=None) is refusals.SourceRefused
    running = admit(tenant.services, minted.token, address="203.0.113.9").use
    admit(tenant.services, minted.token, address="203.0.113.9")
    assert refusal(tenant, minted, address="203.0.113.10") is refusals.SourceRefused
    assert tenant.services.gateway_uses.recheck([running]) == []


RULES = dump_rules([Rule(("GET", "POST"), "/v1/*"), Rule(("DELETE",), "/v1/files/**")])


@pytest.mark.parametrize("where", ["config", "token"])
@pytest.mark.parametrize(
    ("method", "path", "is_admitted"),
    [
        ("GET", "/v1/models", True),
        ("HEAD", "/v1/models", True),
        ("POST", "/v1/models", True),
        ("PUT", "/v1/models", False),
        ("GET", "/v1/models/one", False),
        ("DELETE", "/v1/files/a/b", True),
        ("HEAD", "/v1/files/a/b", False),
        ("GET", "/v2/models", False),
    ],
)
def test_rules_of_config_and_token_decide(
    tenant: Tenant, where: str, method: str, path: str, *, is_admitted: bool
) -> None:
    tenant.create(SECRET, CANARY)
    of_config, of_token = (RULES, None) if where == "config" else (None, RULES)
    minted = store_token(tenant, store_config(tenant, allow=of_config), SECRET, allow=of_token)
    if is_admitted:
        assert admit(tenant.services, minted.token, method=method, path=path).is_strict
    else:
        found = refusal(tenant, minted, method=method, path=path)
        assert found is refusals.RequestNotAllowed


def test_a_token_cannot_widen_its_config(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    narrow = dump_rules([Rule(("GET",), "/v1/models")])
    wide = dump_rules([Rule((), "/**")])
    minted = store_token(tenant, store_config(tenant, allow=narrow), SECRET, allow=wide)
    assert refusal(tenant, minted, method="POST") is refusals.RequestNotAllowed


def test_denied_paths_are_refused_whatever_is_allowed(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    deny = dump_rules([Rule((), "/app/installations/**")])
    minted = store_token(tenant, store_config(tenant, deny=deny), SECRET)
    path = "/app/installations/1/access_tokens"
    assert refusal(tenant, minted, path=path) is refusals.RequestNotAllowed


@pytest.mark.parametrize("path", ["/v1%2fmodels", "/v1//models", "/v1/models;a", "/v1/%252e"])
@pytest.mark.parametrize("fence", ["rules", "base path"])
def test_a_path_with_two_readings_is_refused_where_it_is_judged(
    tenant: Tenant, path: str, fence: str
) -> None:
    tenant.create(SECRET, CANARY)
    config = (
        store_config(tenant, allow=dump_rules([Rule((), "/**")]))
        if fence == "rules"
        else store_config(tenant, endpoint="https://api.example.com/base")
    )
    assert refusal(tenant, store_token(tenant, config, SECRET), path=path) is AmbiguousPath


@pytest.mark.parametrize("path", ["/v1/../x", "/v1/%2e%2e/x", "/v1/%41", "/v1?x=1", "v1", ""])
def test_a_path_that_is_not_canonical_is_refused(tenant: Tenant, minted: Minted, path: str) -> None:
    assert refusal(tenant, minted, path=path) is AmbiguousPath


def test_a_credential_in_the_query_is_refused_in_any_case(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    minted = store_token(tenant, store_config(tenant, deny_query=("key",)), SECRET)
    assert refusal(tenant, minted, query_names=("page", "KEY")) is refusals.CredentialInQuery
    admit(tenant.services, minted.token, query_names=("page",))


def test_requests_a_minute_are_limited_for_each_token(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    config, limits = store_config(tenant), TokenLimits(requests_per_minute=2)
    minted = store_token(tenant, config, SECRET, limits=limits)
    other = store_token(tenant, config, SECRET, limits=limits)
    for _ in range(2):
        admit(tenant.services, minted.token)
    assert refusal(tenant, minted) is RateLimited
    admit(tenant.services, other.token)


def test_a_budget_is_exact_although_many_ask_at_once(tenant: Tenant, rows: Rows) -> None:
    tenant.create(SECRET, CANARY)
    limits = TokenLimits(requests=3)
    minted = store_token(tenant, store_config(tenant), SECRET, limits=limits)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            admit(tenant.services, minted.token)
            outcomes.append("admitted")
        except refusals.BudgetSpent:
            outcomes.append("spent")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["admitted"] * 3 + ["spent"] * 5
    assert len(uses(rows)) == 3


def test_a_value_that_no_header_holds_is_not_sent(tenant: Tenant) -> None:
    tenant.create(SECRET, "a key\n")
    minted = store_token(tenant, store_config(tenant), SECRET)
    assert refusal(tenant, minted) is refusals.CredentialNotSendable


def test_a_config_that_no_longer_lists_the_secret_refuses_it(
    tenant: Tenant, minted: Minted
) -> None:
    with tenant.services.gateway_keys._database.reading() as repository:
        stored = repository.gateway_configs.get(minted.row.account_id, minted.row.config_id)
    assert stored is not None
    replace_config(tenant, replace(stored.unverified, secrets=NameLimit(("OTHER_*",))))
    assert refusal(tenant, minted) is refusals.ConfigChanged


def test_a_host_that_the_operator_no_longer_lists_is_refused(
    deployment: Deployment, minted: Minted
) -> None:
    strict = deployment.process(STRONGROOM_GATEWAY_HOSTS="*.example.org")
    with pytest.raises(refusals.ConfigChanged):
        admit(strict, minted.token)


def test_a_key_that_may_only_use_gateways_has_tokens_of_system_configs(tenant: Tenant) -> None:
    """It has no way to read the value."""
    tenant.create(SECRET, CANARY)
    using = with_key(
        tenant.services, tenant.caller.account_id, scopes=frozenset({Scope.GATEWAYS_USE})
    )
    wanted = NewGatewayToken(gateway="anthropic", secret=SECRET)
    tokens = replace(tenant.services.gateway_tokens, _urls=ConfigUrls("https://gw.example.com"))
    issued = tokens.mint(using.caller, "dbx_1", wanted, None)
    admitted = admit(tenant.services, issued.token, config_id=issued.config.id)
    assert [(name, value.reveal()) for name, value in admitted.headers] == [("x-api-key", CANARY)]


def test_a_key_that_may_not_use_gateways_backs_no_token(tenant: Tenant) -> None:
    tenant.create(SECRET, CANARY)
    reading = with_key(
        tenant.services, tenant.caller.account_id, scopes=frozenset({Scope.SECRETS_READ})
    )
    assert refusal(tenant, store_token(reading, store_config(tenant), SECRET)) is REFUSED


def test_an_origin_in_clear_text_is_refused_once_no_network_is_listed(
    deployment: Deployment, tenant: Tenant
) -> None:
    tenant.create(SECRET, CANARY)
    minted = store_token(tenant, store_config(tenant, "http://10.0.0.1"), SECRET)
    admit(deployment.process(STRONGROOM_GATEWAY_NETWORKS="10.0.0.0/8"), minted.token)
    assert refusal(tenant, minted) is refusals.ConfigChanged


def test_an_outage_of_the_provider_admits_nothing_and_counts_nothing(
    deployment: Deployment, tenant: Tenant, minted: Minted, rows: Rows
) -> None:
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    cold = deployment.process(keyring=Keyring([provider], [], concurrency=1))
    cold.gateway_keys._system_key.opened()
    provider.down = KeyUnavailable("down")
    with pytest.raises(KeyProviderError):
        admit(cold, minted.token)
    assert uses(rows) == []
    provider.down = None


def test_an_edited_use_ends_at_the_recheck(tenant: Tenant, minted: Minted, rows: Rows) -> None:
    running = admit(tenant.services, minted.token).use
    rows.edit("gateway_uses", {"token_id": minted.row.id}, address="198.51.100.1")
    assert tenant.services.gateway_uses.recheck([running]) == [(running, REFUSED.code)]


@pytest.mark.parametrize("handle", ["", "gwu_", "gwu_1.acct_1", "a" * 128])
def test_an_unknown_use_ends_at_the_recheck(tenant: Tenant, handle: str) -> None:
    assert tenant.services.gateway_uses.recheck([handle]) == [(handle, REFUSED.code)]


def test_the_end_of_a_use_is_stored_once(tenant: Tenant, minted: Minted, rows: Rows) -> None:
    use = admit(tenant.services, minted.token).use
    end = UseEnd(use, 200, 10, 20, 30, 0)
    tenant.services.gateway_uses.end([end, UseEnd("unknown", 200, 1, 1, 1, 0)])
    tenant.services.gateway_uses.end([replace(end, status=500)])
    (stored,) = uses(rows)
    assert (stored["status"], stored["bytes_in"], stored["bytes_out"]) == (200, 10, 20)
    assert tenant.services.gateway_uses.recheck([use]) == []


def test_a_reflected_secret_is_an_event(
    tenant: Tenant, minted: Minted, caplog: pytest.LogCaptureFixture
) -> None:
    use = admit(tenant.services, minted.token).use
    with caplog.at_level(logging.WARNING, "strongroom.gateway"):
        tenant.services.gateway_uses.end([UseEnd(use, 200, 1, 1, 1, scrub_hits=2)])
    assert [each.message for each in caplog.records] == ["gateway_secret_reflected"]


def test_every_admission_is_one_event_with_ids_only(
    tenant: Tenant, minted: Minted, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "strongroom.gateway"):
        admit(tenant.services, minted.token)
        revoke(tenant)
        refusal(tenant, minted)
    assert [each.message for each in caplog.records] == ["gateway_admitted", "gateway_refused"]
    shown = repr([each.__dict__ for each in caplog.records])
    assert minted.row.id in shown
    assert CANARY not in shown
    assert minted.token.reveal() not in shown


def test_nothing_of_an_admission_prints_a_value(tenant: Tenant, minted: Minted) -> None:
    assert CANARY not in repr(admit(tenant.services, minted.token))


def _replace(tenant: Tenant, minted: Minted, **changes: Any) -> None:
    with tenant.services.gateway_keys._database.writing() as work:
        row = replace(minted.row, **changes)
        work.gateway_tokens.replace(opened(tenant.services).guard(row))
        work.commit()


def _repoint(tenant: Tenant, minted: Minted) -> None:
    with tenant.services.gateway_keys._database.reading() as repository:
        stored = repository.gateway_configs.get(minted.row.account_id, minted.row.config_id)
    assert stored is not None
    replace_config(tenant, replace(stored.unverified, endpoint="https://evil.example"))
