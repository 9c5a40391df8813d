"""Each operation has its record: who, what, from where; and no name or value in it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.audit.events import AuditEvent
from app.domain.errors import DomainError, InjectionRefused, SecretNameExists
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.idempotency import RetryKey
from app.domain.secrets import SecretRef, SecretValue
from app.repository.sqlite.database import SqliteDatabase
from app.services.audit.trail import name_hash
from app.services.container import Services
from tests.support.deployment import ADDRESS, Deployment, Tenant, child_of, revoke, sweep
from tests.support.gateway.stored import admit, store_config, store_token
from tests.unit.app.services.audit.trail_of import (
    actions,
    database_of,
    details,
    gaps,
    new_records,
    records,
)

A = SecretRef.by_name("A_NAME")
VALUE = "a value to look for"


def own(tenant: Tenant) -> list[AuditEvent]:
    return records(tenant.services, tenant.caller.account_id)


def record_of(tenant: Tenant, do: Callable[[], object]) -> AuditEvent:
    """The only record of the account that an operation makes."""
    before = own(tenant)
    do()
    (event,) = new_records(tenant.services, before, tenant.caller.account_id)
    return event


def secret_id(tenant: Tenant, name: str = "A_NAME") -> str:
    return tenant.services.secrets.get(tenant.caller, SecretRef.by_name(name)).id


def test_the_life_of_a_secret_is_recorded_with_its_versions(tenant: Tenant) -> None:
    tenant.create("FIRST")  # makes the data key
    created = record_of(tenant, lambda: tenant.create("A_NAME", VALUE))
    subject = secret_id(tenant)
    updated = record_of(tenant, lambda: tenant.update("A_NAME", VALUE))
    versions = tenant.services.secret_versions
    back = record_of(tenant, lambda: versions.roll_back(tenant.caller, A, 1, None))
    deleted = record_of(tenant, lambda: versions.delete(tenant.caller, A, 1, None))
    purged = record_of(tenant, lambda: versions.purge(tenant.caller, A, None))
    gone = record_of(tenant, lambda: tenant.delete("A_NAME"))
    assert [(each.action, each.subjects) for each in (created, updated, back, deleted)] == [
        ("secret.created", (f"{subject}@1",)),
        ("secret.updated", (f"{subject}@2",)),
        ("secret.rolled_back", (f"{subject}@3",)),
        ("secret.version_deleted", (f"{subject}@1",)),
    ]
    assert (purged.action, purged.subjects) == ("secret.purged", (subject,))
    assert (gone.action, gone.subjects) == ("secret.deleted", (subject,))
    assert details(back) == {"restored_version": 1}


def test_the_name_of_a_secret_is_found_by_who_knows_it(tenant: Tenant) -> None:
    tenant.create("FIRST")
    created = record_of(tenant, lambda: tenant.create("A_NAME"))
    deleted = record_of(tenant, lambda: tenant.delete("A_NAME"))
    opened = tenant.services.api_keys._system_key.opened()
    expected = {"name_hash": name_hash(opened, tenant.caller.account_id, "A_NAME")}
    assert details(created) == details(deleted) == expected
    assert name_hash(opened, "acct_other", "A_NAME") != expected["name_hash"]


def test_a_record_says_who_and_from_where(tenant: Tenant) -> None:
    child = child_of(tenant)
    caller = replace(child.caller, address="192.0.2.7", request_id="req_1")
    value = SecretValue(VALUE)
    tenant.create("FIRST")
    made = record_of(tenant, lambda: tenant.services.secrets.create(caller, "A_NAME", value, None))
    assert made.actor == child.key.id
    assert made.issuers == (tenant.key.id,)
    assert (made.address, made.request_id) == ("192.0.2.7", "req_1")
    assert made.outcome == "done"


def test_a_retry_that_gets_the_stored_response_is_no_second_record(tenant: Tenant) -> None:
    tenant.create("FIRST")
    retry, value = RetryKey("a request", b"{}"), SecretValue(VALUE)

    def create() -> None:
        tenant.services.secrets.create(tenant.caller, "A_NAME", value, retry)

    assert record_of(tenant, create).action == "secret.created"
    before = own(tenant)
    create()
    assert own(tenant) == before


def test_what_was_refused_is_not_recorded(tenant: Tenant) -> None:
    tenant.create("A_NAME")
    before = own(tenant)
    with pytest.raises(SecretNameExists):
        tenant.create("A_NAME")
    assert own(tenant) == before


def test_a_redemption_lists_the_versions_that_it_hands_out(tenant: Tenant) -> None:
    tenant.create("A_NAME", VALUE)
    tenant.update("A_NAME", VALUE)
    tenant.create("B_NAME")
    injection = tenant.inject("A_NAME", "B_NAME")
    redeemed = record_of(tenant, lambda: tenant.redeem(injection.token, "n" * 22))
    ids = {f"{secret_id(tenant)}@2", f"{secret_id(tenant, 'B_NAME')}@1"}
    assert redeemed.action == "injection.redeemed"
    assert redeemed.subjects[0] == injection.id
    assert {*redeemed.subjects[1:]} == ids
    assert (redeemed.actor, redeemed.address) == (tenant.key.id, ADDRESS)


def test_a_redemption_repeated_by_its_nonce_is_recorded_each_time(tenant: Tenant) -> None:
    tenant.create("A_NAME", VALUE)
    injection = tenant.inject("A_NAME")
    redeemed = record_of(tenant, lambda: tenant.redeem(injection.token, "n" * 22))
    for _ in range(2):
        repeated = record_of(tenant, lambda: tenant.redeem(injection.token, "n" * 22))
        assert repeated.action == "injection.repeated"
        assert repeated.subjects == redeemed.subjects


def reuse(tenant: Tenant, token: object) -> None:
    with pytest.raises(InjectionRefused):
        tenant.redeem(token)  # type: ignore[arg-type]


def test_the_reuse_of_a_true_token_is_recorded_at_once_and_then_once_a_minute(
    deployment: Deployment, tenant: Tenant
) -> None:
    tenant.create("A_NAME", VALUE)
    injection = tenant.inject("A_NAME")
    tenant.redeem(injection.token)
    before = own(tenant)
    for _ in range(3):
        reuse(tenant, injection.token)
    deployment.clock.advance(seconds=61)
    reuse(tenant, injection.token)
    reused = new_records(tenant.services, before, tenant.caller.account_id)
    assert [(each.action, each.outcome) for each in reused] == [("injection.reused", "refused")] * 2
    assert reused[0].subjects == (injection.id,)
    assert reused[0].actor == tenant.key.id


def test_a_token_that_is_not_the_injections_is_not_recorded(tenant: Tenant) -> None:
    tenant.create("A_NAME", VALUE)
    injection, other = tenant.inject("A_NAME"), tenant.inject("A_NAME")
    tenant.redeem(injection.token)
    before = own(tenant)
    with suppress(DomainError):
        tenant.redeem(type(other.token)(other.token.reveal()[:-1] + "x"))
    assert own(tenant) == before


def test_api_keys_are_recorded_from_their_issue_to_their_end(tenant: Tenant) -> None:
    child = child_of(tenant)
    rotate = lambda: tenant.services.api_keys.rotate(  # noqa: E731 - read beside the next ones
        tenant.caller.account_id, child.key.id
    )
    minted = own(tenant)[-1]
    assert (minted.action, minted.actor, minted.subjects) == (
        "api_key.created",
        tenant.key.id,
        (child.key.id,),
    )
    rotated = record_of(tenant, rotate)
    revoked = record_of(tenant, lambda: revoke(child))
    assert actions([rotated, revoked]) == ["api_key.rotated", "api_key.revoked"]
    assert {rotated.actor, revoked.actor} == {"server"}  # of the process, which the test built


def test_an_account_has_its_own_making_in_its_trail(tenant: Tenant) -> None:
    account_id = tenant.caller.account_id
    assert own(tenant)[0].action == "account.created"
    changed = record_of(
        tenant, lambda: tenant.services.accounts.set_devbox(account_id, devbox=False)
    )
    assert (changed.action, details(changed)) == ("account.changed", {"devbox": False})


def test_a_config_that_stays_as_it_is_has_no_record(tenant: Tenant) -> None:
    services, caller = tenant.services, tenant.caller
    draft = ConfigDraft(
        name="a config", endpoint="https://api.example.com", auth=AuthMechanism(AuthType.BEARER)
    )
    config = services.gateway_configs.create(caller, draft, None)
    before = own(tenant)
    services.gateway_configs.update(caller, config.id, ConfigDraft(name="a config"), None)
    assert own(tenant) == before


def test_a_sweep_has_one_record_for_a_batch(deployment: Deployment, tenant: Tenant) -> None:
    tenant.create("A_NAME")
    for _ in range(3):
        tenant.inject("A_NAME")
    deployment.clock.advance(days=40)
    before = own(tenant)
    sweep(tenant.at(deployment.process()).services)
    swept = new_records(tenant.services, before, tenant.caller.account_id)
    assert [(each.action, details(each)) for each in swept] == [
        ("rows.swept", {"table": "injections", "rows": 3})
    ]


def test_no_record_holds_a_name_or_a_value(tenant: Tenant) -> None:
    tenant.create("A_NAME", VALUE)
    tenant.update("A_NAME", VALUE)
    tenant.redeem(tenant.inject("A_NAME").token)
    tenant.delete("A_NAME")
    texts = str([*own(tenant), *records(tenant.services)])
    assert "A_NAME" not in texts
    assert VALUE not in texts
    assert [*gaps(tenant.services)] == []


def test_the_deployment_and_its_switch_are_in_the_operators_trail(services: Services) -> None:
    services.gateway_switch.stop()
    services.gateway_switch.stop()
    services.gateway_switch.start()
    found = actions(records(services))
    assert found == ["deployment.created", "gateway.stopped", "gateway.started"]


def test_an_admission_is_recorded_by_the_key_that_minted_the_token(tenant: Tenant) -> None:
    tenant.create("A_NAME", VALUE)
    tenant.update("A_NAME", VALUE)
    config = store_config(tenant)
    minted = store_token(tenant, config, "A_NAME")
    admitted = record_of(tenant, lambda: admit(tenant.services, minted.token))
    assert admitted.action == "gateway.admitted"
    assert admitted.subjects[1:] == (minted.row.id, config.id, f"{secret_id(tenant)}@2")
    assert (admitted.actor, admitted.address) == (tenant.key.id, ADDRESS)


def test_a_backup_is_recorded_before_it_is_made_and_once_it_is(
    services: Services, tmp_path: Path
) -> None:
    if not isinstance(database_of(services), SqliteDatabase):
        pytest.skip("PostgreSQL makes its own backups")
    services.backups.make(tmp_path / "backup.db")
    made = [each for each in records(services) if each.action == "backup.made"]
    assert [each.outcome for each in made] == ["begun", "done"]
