"""With the database and the offline recovery key alone, every value comes back."""

from functools import partial

import pytest

from app.domain.errors import NotInitialised, RecoveryRefused
from app.repository.connect import connect
from app.services.keys import sweep as held_keys
from app.services.keys.failure_reasons import FailureReason
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyDisabled, KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring
from backends.provider import WrappedKey
from backends.recovery.files import PrivateKeyFile
from backends.recovery.keys import RecoveryPrivateKey
from backends.recovery.provider import Recovery
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant
from tests.unit.app.services.keys.escrow import Loss
from tests.unit.app.services.keys.moving import VALUES, Move, ignore
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Killed, Steps, stepped

DATA_KEYS = 5


@pytest.fixture
def loss(move: Move, tenants: list[Tenant]) -> Loss:
    return Loss.of(move)


def values(loss: Loss, tenants: list[Tenant]) -> list[dict[str, str]]:
    services = loss.move.process(loss.fresh)
    return [tenant.at(services).values() for tenant in tenants]


def test_before_it_nothing_opens(loss: Loss, tenants: list[Tenant]) -> None:
    with pytest.raises(KeyProviderError):
        values(loss, tenants)


def test_afterwards_every_value_opens_under_the_new_keyring(
    loss: Loss, tenants: list[Tenant]
) -> None:
    progress = loss.process().recovery.run(loss.private, ignore)
    assert (progress.changed, progress.failed) == (DATA_KEYS, 0)
    assert values(loss, tenants) == [VALUES, VALUES]


def test_a_dry_run_counts_what_opens_and_changes_nothing(loss: Loss, rows: Rows) -> None:
    before = rows.all("data_keys"), rows.all("wrappings")
    progress = loss.process().recovery.run(loss.private, ignore, dry_run=True)
    assert (progress.done, progress.changed, progress.failed) == (DATA_KEYS, DATA_KEYS, 0)
    assert (rows.all("data_keys"), rows.all("wrappings")) == before


def test_recovered_keys_no_longer_seal(loss: Loss, tenants: list[Tenant], rows: Rows) -> None:
    recovered = {row["id"] for row in rows.all("data_keys")}
    loss.process().recovery.run(loss.private, ignore)
    tenants[0].at(loss.process()).create("AFTER", "a value after it")
    assert rows.one("secrets", name="AFTER")["data_key_id"] not in recovered


def test_the_system_key_goes_on(loss: Loss, tenants: list[Tenant], rows: Rows) -> None:
    before = rows.one("data_keys", account_id="_system")
    loss.process().recovery.run(loss.private, ignore)
    assert rows.one("data_keys", account_id="_system") == before
    assert tenants[0].at(loss.process()).authenticate() == tenants[0].caller


def test_running_it_again_changes_no_wrapping(
    loss: Loss, tenants: list[Tenant], rows: Rows
) -> None:
    loss.process().recovery.run(loss.private, ignore)
    before = rows.all("wrappings")
    loss.process().recovery.run(loss.private, ignore)
    assert rows.all("wrappings") == before


def test_running_it_again_asks_nobody_to_wrap(loss: Loss) -> None:
    loss.process().recovery.run(loss.private, ignore)
    fresh = CannotWrap(loss.fresh)
    services = loss.move.deployment.process(keyring=Keyring([fresh]))
    progress = services.recovery.run(loss.private, ignore)
    assert (progress.done, progress.changed, progress.failed) == (DATA_KEYS, 0, 0)


def test_a_data_key_that_was_made_since_goes_on_sealing(
    loss: Loss, tenants: list[Tenant], rows: Rows
) -> None:
    loss.process().recovery.run(loss.private, ignore)
    tenants[0].at(loss.process()).create("AFTER", "a value after it")
    before = rows.all("data_keys")
    loss.process().recovery.run(loss.private, ignore)
    assert rows.all("data_keys") == before


def test_a_root_key_that_was_made_anew_under_the_same_name_gets_everything_back(
    move: Move, tenants: list[Tenant]
) -> None:
    """As when a Vault that was lost is built anew, and its first version is called v1 again."""
    lost = called_the_same(move.a)
    recovery_key = RecoveryPrivateKey.generate()
    escrow = Recovery(recovery_key.public_key)
    before = move.deployment.process(keyring=Keyring([lost, Scripted(move.a)], [escrow]))
    assert before.rewrap.run(ignore).failed == 0
    filed = before.recovery.make_key().private.system_key
    private = PrivateKeyFile(recovery_key, filed)

    anew = move.deployment.process(keyring=Keyring([called_the_same(move.b)]))
    progress = anew.recovery.run(private, ignore)
    assert (progress.changed, progress.failed) == (DATA_KEYS, 0)
    again = move.deployment.process(keyring=Keyring([called_the_same(move.b)]))
    assert [tenant.at(again).values() for tenant in tenants] == [VALUES, VALUES]


def called_the_same(uri: str) -> Scripted:
    """The key of a file, under the name of another one."""
    provider = Scripted(uri)
    (master,) = provider._masters.values()
    provider._masters, provider._current = {"local-fernet:same": master}, "local-fernet:same"
    return provider


class CannotWrap(Scripted):
    """Opens what it wrapped before, and wraps nothing."""

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        raise KeyDisabled("It is disabled.")


def test_data_keys_that_cannot_be_wrapped_are_counted_and_stay_as_they_were(
    loss: Loss, rows: Rows
) -> None:
    before = loss.move.deployment.snapshot()
    services = loss.move.deployment.process(keyring=Keyring([CannotWrap(loss.fresh)]))
    progress = services.recovery.run(loss.private, ignore)
    assert (progress.changed, progress.reasons) == (0, {FailureReason.KEY_DISABLED: DATA_KEYS})
    assert loss.move.deployment.snapshot() == before


def test_what_failed_once_is_done_when_it_is_run_again(loss: Loss, tenants: list[Tenant]) -> None:
    fresh = Scripted(loss.fresh)
    fresh.before_call = partial(fail_the_third, fresh)
    services = loss.move.deployment.process(keyring=Keyring([fresh]))
    assert services.recovery.run(loss.private, ignore).failed > 0
    fresh.before_call, fresh.down = ignore_call, None
    assert services.recovery.run(loss.private, ignore).failed == 0
    assert values(loss, tenants) == [VALUES, VALUES]


def fail_the_third(provider: Scripted) -> None:
    provider.down = KeyUnavailable("The provider is down.") if provider.calls >= 3 else None


def ignore_call() -> None:
    return None


def test_a_recovery_that_is_killed_after_any_commit_is_run_again(
    loss: Loss, tenants: list[Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_keys, "BATCH", 2)
    prepared = loss.move.deployment.snapshot()
    for number in range(1, 4):
        loss.move.deployment.restore(prepared)
        steps = Steps()
        fresh = Keyring([Scripted(loss.fresh)])
        database = stepped(loss.move.deployment.database, steps)
        services = loss.move.deployment.process(keyring=fresh, database=database)
        committed: list[None] = []
        steps.before("committed", partial(kill_after, number, committed, steps))
        with pytest.raises(Killed):
            services.recovery.run(loss.private, ignore)
        loss.process().recovery.run(loss.private, ignore)
        assert values(loss, tenants) == [VALUES, VALUES]


def kill_after(number: int, committed: list[None], steps: Steps) -> None:
    """Kill at the commit of this number."""
    committed.append(None)
    if len(committed) == number:
        raise Killed
    steps.before("committed", partial(kill_after, number, committed, steps))


def test_a_data_key_without_escrow_is_counted_and_the_others_come_back(
    loss: Loss, tenants: list[Tenant], rows: Rows
) -> None:
    lost = rows.one("secrets", name="OLD", account_id=tenants[0].caller.account_id)["data_key_id"]
    rows.remove("wrappings", data_key_id=lost, scheme="recovery")
    progress = loss.process().recovery.run(loss.private, ignore)
    assert (progress.changed, progress.reasons) == (DATA_KEYS - 1, {FailureReason.KEY_UNKNOWN: 1})
    assert tenants[1].at(loss.process()).values() == VALUES


def test_another_recovery_key_is_refused(loss: Loss) -> None:
    other = PrivateKeyFile(RecoveryPrivateKey.generate(), loss.private.system_key)
    assert is_refused(loss, other)


def test_a_recovery_key_without_a_fingerprint_is_refused(loss: Loss) -> None:
    assert is_refused(loss, PrivateKeyFile(loss.private.key))


def test_the_recovery_key_of_another_deployment_is_refused(
    loss: Loss, move: Move, rows: Rows
) -> None:
    rows.edit("deployment", {}, id="dep_0000000000000000000000")
    assert is_refused(loss, loss.private)


def is_refused(loss: Loss, private: PrivateKeyFile) -> bool:
    """Return True if it is refused, and nothing was written."""
    before = loss.move.deployment.snapshot()
    with pytest.raises(RecoveryRefused):
        loss.process().recovery.run(private, ignore)
    return loss.move.deployment.snapshot() == before


def test_an_empty_database_is_not_recovered(
    loss: Loss, deployment: Deployment, tmp_path: object
) -> None:
    empty = deployment.home / "empty.db"
    database = connect(f"sqlite:///{empty}")
    database.upgrade()
    services = deployment.process(keyring=Keyring([Scripted(loss.fresh)]), database=database)
    with pytest.raises(NotInitialised):
        services.recovery.run(loss.private, ignore)


def test_nothing_is_written_while_the_new_keyring_cannot_wrap(
    loss: Loss, tenants: list[Tenant]
) -> None:
    fresh = Scripted(loss.fresh)
    fresh.down = KeyProviderError("The provider is down.")
    services = loss.move.deployment.process(keyring=Keyring([fresh]))
    before = loss.move.deployment.snapshot()
    with pytest.raises(KeyProviderError):
        services.recovery.run(loss.private, ignore)
    assert loss.move.deployment.snapshot() == before


def test_a_recovery_reads_rows_in_batches(loss: Loss, tenants: list[Tenant], rows: Rows) -> None:
    tenants[0].inject("OLD")
    ended = rows.all("injections")[0] | {"state": "revoked"}
    for number in range(450):
        rows.plant("injections", {**ended, "id": f"inj_{number:022}"})
    steps = Steps()
    database = stepped(loss.move.deployment.database, steps)
    services = loss.move.deployment.process(
        keyring=Keyring([Scripted(loss.fresh)]), database=database
    )
    assert services.recovery.run(loss.private, ignore).failed == 0
    assert steps.names.count("injections.sweep") == 3
