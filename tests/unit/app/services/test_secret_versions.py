"""Old values of secrets: how many are kept, what brings one back, and what cannot."""

import json
from collections.abc import Callable

import pytest

from app.domain.errors import TamperedRow
from app.domain.secret_versions import Rollback, SecretVersionNotFound, VersionIsCurrent
from app.domain.secrets import SecretRef
from backends.errors import DecryptionError, KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, sweep
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Steps, stepped

A = SecretRef.by_name("A")


def numbers(tenant: Tenant, ref: SecretRef = A) -> list[int]:
    found = tenant.services.secret_versions.list(tenant.caller, ref)
    return [each.version for each in found]


def roll_back(tenant: Tenant, version: int, ref: SecretRef = A) -> Rollback:
    return tenant.services.secret_versions.roll_back(tenant.caller, ref, version, None)


def set_values(tenant: Tenant, count: int, name: str = "A") -> None:
    """Give a new secret so many values, one after the other: ``value 1``, ``value 2`` …."""
    tenant.create(name, "value 1")
    for number in range(2, count + 1):
        tenant.update(name, f"value {number}")


def test_five_old_values_are_kept_and_each_comes_back(tenant: Tenant) -> None:
    set_values(tenant, 8)
    assert numbers(tenant) == [8, 7, 6, 5, 4, 3]
    for version in (3, 5, 6):
        roll_back(tenant, version)
        assert tenant.value("A") == f"value {version}"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_number_of_old_values_is_a_setting(deployment: Deployment, count: int) -> None:
    tenant = new_tenant(deployment.process(STRONGROOM_SECRET_VERSIONS=str(count)))
    set_values(tenant, 5)
    assert numbers(tenant) == list(range(5, 4 - count, -1))


def test_a_number_never_comes_back(tenant: Tenant) -> None:
    set_values(tenant, 3)
    tenant.services.secret_versions.purge(tenant.caller, A, None)
    tenant.update("A", "value 4")
    assert roll_back(tenant, 3).version == 5
    assert numbers(tenant) == [5, 4, 3]


def test_a_number_above_the_current_one_is_not_used_again(tenant: Tenant, rows: Rows) -> None:
    """Somebody put back an old row of the secret, and has left its old versions."""
    set_values(tenant, 2)
    before = rows.one("secrets")
    set_aside = {name: before[name] for name in ("version", "data_key_id", "envelope")}
    tenant.update("A", "value 3")
    tenant.update("A", "value 4")
    rows.edit("secrets", {"id": before["id"]}, **set_aside)
    tenant.update("A", "after the attack")
    assert rows.one("secrets")["version"] == 4
    assert tenant.value("A") == "after the attack"


def test_a_rollback_after_a_new_data_key_seals_under_the_new_one(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 2)
    deployment.clock.advance(days=31)
    roll_back(tenant, 1)
    (active,) = rows.all("data_keys", account_id=tenant.caller.account_id, state="active")
    assert rows.one("secrets")["data_key_id"] == active["id"]
    assert tenant.at(deployment.process()).value("A") == "value 1"


@pytest.mark.parametrize(
    ("version", "refusal"), [(2, VersionIsCurrent), (3, SecretVersionNotFound)]
)
def test_what_is_no_old_version_is_refused_and_changes_nothing(
    deployment: Deployment, tenant: Tenant, version: int, refusal: type[Exception]
) -> None:
    set_values(tenant, 2)
    before = deployment.snapshot()
    with pytest.raises(refusal):
        roll_back(tenant, version)
    assert deployment.snapshot() == before


def test_the_old_value_is_opened_before_the_transaction(deployment: Deployment) -> None:
    set_values(tenant := new_tenant(deployment.process()), 2)
    steps = Steps()
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    calls_while_writing: list[bool] = []
    provider.before_call = lambda: calls_while_writing.append(steps.is_writing)
    database = stepped(deployment.database, steps)
    services = deployment.process(keyring=Keyring([provider]), database=database)
    roll_back(tenant.at(services), 1)
    assert calls_while_writing
    assert not any(calls_while_writing)


def test_a_rollback_while_the_provider_is_down_changes_nothing(deployment: Deployment) -> None:
    set_values(tenant := new_tenant(deployment.process()), 2)
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    services = deployment.process(keyring=Keyring([provider]))
    services.accounts.list()  # the system key is open
    before = deployment.snapshot()
    provider.down = KeyUnavailable("The provider is down.")
    with pytest.raises(KeyUnavailable):
        roll_back(tenant.at(services), 1)
    assert deployment.snapshot() == before


def old_row(rows: Rows, version: int = 1) -> Row:
    return rows.one("secret_versions", version=version)


def test_an_archived_value_does_not_open_in_the_row_of_the_secret(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 2)
    old = old_row(rows)
    rows.edit(
        "secrets",
        {"id": old["secret_id"]},
        version=old["version"],
        data_key_id=old["data_key_id"],
        envelope=old["archived"],
    )
    with pytest.raises(DecryptionError):
        tenant.at(deployment.process()).value("A")


EDITS: dict[str, Callable[[Row], Row]] = {
    "created_at_ms": lambda row: {"created_at_ms": row["created_at_ms"] - 1},
    "replaced_at_ms": lambda row: {"replaced_at_ms": row["replaced_at_ms"] + 1},
    "replaced_by": lambda _: {"replaced_by": "key_of_somebody_else"},
    "a negative time": lambda _: {"created_at_ms": -1},
    "archived": lambda row: {"archived": row["archived"][:-1] + b"\0\0"},
    "nothing archived": lambda _: {"archived": b""},
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_version_is_not_rolled_back_to(
    deployment: Deployment, tenant: Tenant, rows: Rows, edit: str
) -> None:
    set_values(tenant, 2)
    rows.edit("secret_versions", {"version": 1}, **EDITS[edit](old_row(rows)))
    before = deployment.snapshot()
    with pytest.raises(DecryptionError):
        roll_back(tenant, 1)
    assert deployment.snapshot() == before


def test_a_version_under_the_number_of_another_is_not_rolled_back_to(
    tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 3)
    one, two = old_row(rows, 1), old_row(rows, 2)
    for version, row in ((1, two), (2, one)):
        columns = {name: row[name] for name in ("created_at_ms", "replaced_at_ms", "archived")}
        rows.edit("secret_versions", {"version": version}, **columns)
    for version in (1, 2):
        with pytest.raises(DecryptionError):
            roll_back(tenant, version)


def test_a_version_of_another_secret_is_not_rolled_back_to(tenant: Tenant, rows: Rows) -> None:
    set_values(tenant, 2, "A")
    set_values(tenant, 2, "B")
    a, b = rows.one("secrets", name="A")["id"], rows.one("secrets", name="B")["id"]
    foreign = rows.one("secret_versions", secret_id=b)
    rows.remove("secret_versions", secret_id=a)
    rows.plant("secret_versions", {**foreign, "secret_id": a})
    with pytest.raises(DecryptionError):
        roll_back(tenant, 1)


def test_a_secret_whose_name_was_edited_is_not_rolled_back(tenant: Tenant, rows: Rows) -> None:
    set_values(tenant, 2)
    rows.edit("secrets", {"name": "A"}, name="B")
    with pytest.raises(TamperedRow):
        roll_back(tenant, 1, SecretRef.by_name("B"))


DAMAGES: dict[str, Row] = {
    "version": {"version": 0},
    "time": {"update_time_ms": -1},
    "data key": {"data_key_id": "dk_lost"},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_value_is_dropped_and_blocks_no_update(
    tenant: Tenant, rows: Rows, caplog: pytest.LogCaptureFixture, damage: Row
) -> None:
    set_values(tenant, 2)
    rows.edit("secrets", {"name": "A"}, **damage)
    tenant.update("A", "value 3")
    assert tenant.value("A") == "value 3"
    (logged,) = [each for each in caplog.records if each.msg == "version_dropped"]
    assert vars(logged)["detail"] == "row_damaged"
    assert '"old_value_dropped":"row_damaged"' in [
        str(row["details"]).strip("{}") for row in rows.all("audit_events")
    ]
    assert 2 not in [row["version"] for row in rows.all("secret_versions")]


def test_an_envelope_that_was_cut_is_archived_as_it_is_and_does_not_come_back(
    tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 1)
    rows.edit("secrets", {"name": "A"}, envelope=b"cut")
    tenant.update("A", "value 2")
    with pytest.raises(DecryptionError):
        roll_back(tenant, 1)
    assert tenant.value("A") == "value 2"


def test_an_account_without_room_for_the_old_value_loses_it(
    deployment: Deployment, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = new_tenant(deployment.process(STRONGROOM_MAX_BYTES="1400"))
    set_values(tenant, 2)
    assert tenant.at(deployment.process()).value("A") == "value 2"
    assert rows.all("secret_versions") == []
    (logged,) = [each for each in caplog.records if each.msg == "version_dropped"]
    assert vars(logged)["detail"] == "account_limit_reached"


def test_the_bytes_of_old_values_count(deployment: Deployment, tenant: Tenant, rows: Rows) -> None:
    set_values(tenant, 3)
    noted = tenant.services.secrets._limits._accounts[tenant.caller.account_id].usage.bytes
    deployment.clock.advance(seconds=10)
    sweep(tenant.services)
    with deployment.database.reading() as repository:
        counted = repository.usage.get(tenant.caller.account_id)
    assert counted is not None
    of_the_api_key = 512 + len("a key")
    assert counted.usage.bytes == noted + of_the_api_key
    archived = sum(512 + len(row["archived"]) for row in rows.all("secret_versions"))
    assert counted.usage.bytes > archived > 0


def test_an_old_value_is_deleted_some_days_after_its_replacement(
    deployment: Deployment, tenant: Tenant
) -> None:
    set_values(tenant, 1)
    deployment.clock.advance(days=200)
    tenant.update("A", "value 2")
    deployment.clock.advance(days=89, seconds=86_000)
    sweep(tenant.services)
    assert numbers(tenant) == [2, 1]
    deployment.clock.advance(seconds=1000)
    sweep(tenant.services)
    assert numbers(tenant) == [2]


def test_the_age_is_a_setting(deployment: Deployment, tenant: Tenant) -> None:
    set_values(tenant, 2)
    deployment.clock.advance(days=2)
    sweep(deployment.process(STRONGROOM_SECRET_VERSION_AGE="1"))
    assert numbers(tenant) == [2]


def test_the_sweep_deletes_at_most_100_versions_in_a_transaction(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 2)
    old = old_row(rows)
    rows.plant_many("secret_versions", [{**old, "version": 1000 + number} for number in range(250)])
    deployment.clock.advance(days=91)
    steps = Steps()
    sweep(deployment.process(database=stepped(deployment.database, steps)))
    assert steps.names.count("secret_versions.delete_older") == 3
    assert rows.all("secret_versions") == []


def test_a_lowered_number_deletes_the_others_with_the_next_start(
    deployment: Deployment, tenant: Tenant
) -> None:
    set_values(tenant, 5)
    set_values(tenant, 3, "B")
    sweep(tenant.services)
    assert len(numbers(tenant)) == 5
    sweep(deployment.process(STRONGROOM_SECRET_VERSIONS="2"))
    assert numbers(tenant) == [5, 4, 3]
    assert numbers(tenant, SecretRef.by_name("B")) == [3, 2, 1]


def test_a_sweep_looks_for_too_many_versions_once(deployment: Deployment, tenant: Tenant) -> None:
    set_values(tenant, 2)
    steps = Steps()
    services = deployment.process(database=stepped(deployment.database, steps))
    for _ in range(3):
        services.sweep.run()
        deployment.clock.advance(seconds=100)
    assert steps.names.count("secret_versions.surplus") == 1


def test_the_records_of_a_rollback_and_of_deletions_name_the_versions(
    tenant: Tenant, rows: Rows
) -> None:
    set_values(tenant, 2)
    secret_id = roll_back(tenant, 1).id
    versions = tenant.services.secret_versions
    versions.delete(tenant.caller, A, 1, None)
    versions.purge(tenant.caller, A, None)
    found = {
        row["action"]: (row["subjects"], json.loads(row["details"] or "null"))
        for row in rows.all("audit_events", account_id=tenant.caller.account_id)
    }
    assert found["secret.updated"] == (f"{secret_id}@2", None)
    assert found["secret.rolled_back"] == (f"{secret_id}@3", {"restored_version": 1})
    assert found["secret.version_deleted"] == (f"{secret_id}@1", None)
    assert found["secret.purged"] == (secret_id, {"versions": 1})


def statements_of(deployment: Deployment, tenant: Tenant) -> list[str]:
    """The calls to the collections of secrets in the transaction of an update."""
    steps = Steps()
    services = deployment.process(database=stepped(deployment.database, steps))
    for value in ("one that fills caches", "the measured one"):
        steps.names.clear()
        tenant.at(services).update("A", value)
    return [each for each in steps.names if each.startswith("secret")]


def test_an_update_takes_one_statement_for_the_old_value_and_one_where_one_must_go(
    deployment: Deployment, tenant: Tenant
) -> None:
    set_values(tenant, 1)
    short = ["secrets.lock", "secret_versions.add", "secrets.replace_value"]
    assert statements_of(deployment, tenant) == short
    for _ in range(5):
        tenant.update("A", "another")
    assert statements_of(deployment, tenant) == [
        *short[:2],
        "secret_versions.delete_below",
        *short[2:],
    ]


def test_without_old_values_an_update_takes_no_statement_more(deployment: Deployment) -> None:
    tenant = new_tenant(deployment.process())
    set_values(tenant, 1)
    steps = Steps()
    services = deployment.process(
        database=stepped(deployment.database, steps), STRONGROOM_SECRET_VERSIONS="0"
    )
    tenant.at(services).update("A", "value 2")
    assert not {each for each in steps.names if each.startswith("secret_versions")}


def test_a_deleted_secret_leaves_no_version(tenant: Tenant, rows: Rows) -> None:
    set_values(tenant, 3)
    tenant.delete("A")
    assert rows.all("secret_versions") == []
