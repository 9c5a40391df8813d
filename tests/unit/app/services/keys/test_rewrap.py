"""Rewrap gives every data key a current wrapping; values and data keys stay as they are."""

import pytest
from cryptography.fernet import Fernet

from app.domain.errors import StorageUnavailable
from app.services.keys import sweep as held_keys
from app.services.keys.failure_reasons import FailureReason
from app.services.rotation.progress import Progress
from backends.errors import KeyAccessDenied, KeyDisabled, KeyUnavailable
from backends.keyring.keyring import Keyring
from backends.recovery.files import public_key_text
from backends.recovery.keys import RecoveryPrivateKey
from tests.support.deployment import Tenant
from tests.unit.app.services.keys.moving import VALUES, Move, counting, ignore, key_ref
from tests.unit.app.services.providers import Scripted

DATA_KEYS = 5  # the system's, and two of either tenant


def test_afterwards_every_data_key_is_wrapped_by_the_new_first_provider(
    move: Move, tenants: list[Tenant]
) -> None:
    move.process(move.b, move.a).rewrap.run(ignore)
    assert move.refs() == [{"a", "b"}] * DATA_KEYS


def test_every_value_opens_under_the_new_provider_alone(move: Move, tenants: list[Tenant]) -> None:
    move.process(move.b, move.a).rewrap.run(ignore)
    only_b = move.process(move.b)
    assert [each.at(only_b).values() for each in tenants] == [VALUES, VALUES]


def test_nodes_on_the_old_setting_go_on(move: Move, tenants: list[Tenant]) -> None:
    move.process(move.b, move.a).rewrap.run(ignore)
    only_a = move.process(move.a)
    assert [each.at(only_a).values() for each in tenants] == [VALUES, VALUES]


def test_secrets_and_data_keys_are_not_written(move: Move, tenants: list[Tenant]) -> None:
    with move.deployment.rows() as rows:
        before = rows.all("secrets"), rows.all("data_keys")
        move.process(move.b, move.a).rewrap.run(ignore)
        assert (rows.all("secrets"), rows.all("data_keys")) == before


def test_running_it_again_changes_nothing(move: Move, tenants: list[Tenant]) -> None:
    services = move.process(move.b, move.a)
    services.rewrap.run(ignore)
    with move.deployment.rows() as rows:
        before = rows.all("wrappings")
        assert services.rewrap.run(ignore).changed == 0
        assert rows.all("wrappings") == before


def test_a_dry_run_counts_and_writes_nothing(move: Move, tenants: list[Tenant]) -> None:
    with move.deployment.rows() as rows:
        before = rows.all("wrappings")
        progress = move.process(move.b, move.a).rewrap.run(ignore, dry_run=True)
        assert (progress.changed, progress.failed) == (DATA_KEYS, 0)
        assert rows.all("wrappings") == before


def test_progress_ends_with_everything_done(move: Move, tenants: list[Tenant]) -> None:
    seen: list[Progress] = []
    last = move.process(move.b, move.a).rewrap.run(seen.append)
    assert (last.done, last.total, last.changed, last.failed) == (
        DATA_KEYS,
        DATA_KEYS,
        DATA_KEYS,
        0,
    )
    assert seen[-1].done == DATA_KEYS


def new_line(move: Move) -> None:
    """Put a new key on top of the file ``a``."""
    file = move.deployment.home / "keys"
    file.write_bytes(Fernet.generate_key() + b"\n" + file.read_bytes())


def test_a_server_that_has_not_read_a_new_line_of_its_key_file_goes_on(
    move: Move, tenants: list[Tenant]
) -> None:
    server = move.process(move.a)
    new_line(move)
    move.process(move.a).rewrap.run(ignore)
    assert [each.at(server).values() for each in tenants] == [VALUES, VALUES]


def test_an_older_line_of_a_key_file_is_retired_like_any_root_key(
    move: Move, tenants: list[Tenant]
) -> None:
    older = key_ref(move.a)
    new_line(move)
    services = move.process(move.a)
    services.rewrap.run(ignore)
    assert services.retire.run(older).wrappings == DATA_KEYS
    file = move.deployment.home / "keys"
    file.write_bytes(file.read_bytes().splitlines()[0] + b"\n")
    only_newest = move.process(move.a)
    assert [each.at(only_newest).values() for each in tenants] == [VALUES, VALUES]


def test_key_files_that_share_a_line_both_keep_their_wrappings(
    move: Move, tenants: list[Tenant]
) -> None:
    file, second = move.deployment.home / "keys", move.deployment.home / "second"
    second.write_bytes(second.read_bytes() + file.read_bytes())
    for changed in (DATA_KEYS, 0):
        services = move.process(move.b, escrow=move.a)
        assert services.rewrap.run(ignore).changed == changed
    assert move.refs() == [{"a", "b"}] * DATA_KEYS


def test_an_escrow_key_that_is_added_later_gets_its_wrappings(
    move: Move, tenants: list[Tenant]
) -> None:
    public = move.deployment.home / "recovery.pub"
    public.write_text(public_key_text(RecoveryPrivateKey.generate().public_key))
    move.process(move.a, escrow=f"recovery:{public}").rewrap.run(ignore)
    assert move.refs() == [{"a", "recovery"}] * DATA_KEYS


def test_a_provider_file_as_escrow_gets_its_wrappings(move: Move, tenants: list[Tenant]) -> None:
    move.process(move.a, escrow=move.b).rewrap.run(ignore)
    assert move.refs() == [{"a", "b"}] * DATA_KEYS


def test_an_edited_data_key_is_left_alone_and_counted(move: Move, tenants: list[Tenant]) -> None:
    with move.deployment.rows() as rows:
        edited = rows.all("data_keys", account_id=tenants[0].caller.account_id)[0]
        rows.edit("data_keys", {"id": edited["id"]}, created_at_ms=1)
        progress = move.process(move.b, move.a).rewrap.run(ignore)
        assert (progress.changed, progress.reasons) == (
            DATA_KEYS - 1,
            {FailureReason.ROW_EDITED: 1},
        )
        assert len(rows.all("wrappings", data_key_id=edited["id"])) == 1


def test_nothing_is_written_while_the_new_provider_is_down(
    move: Move, tenants: list[Tenant]
) -> None:
    b, a = Scripted(move.b), Scripted(move.a)
    b.down = KeyUnavailable("The provider is down.")
    services = move.deployment.process(keyring=Keyring([b, a]))
    with pytest.raises(KeyUnavailable):
        services.rewrap.run(ignore)
    assert move.refs() == [{"a"}] * DATA_KEYS


def test_what_no_provider_opens_is_counted_and_done_when_run_again(
    move: Move, tenants: list[Tenant]
) -> None:
    b, a = Scripted(move.b), Scripted(move.a)
    services = move.deployment.process(keyring=Keyring([b, a]))
    services.accounts.list()  # the system key is open
    a.down = KeyUnavailable("The provider is down.")
    assert services.rewrap.run(ignore).reasons == {FailureReason.KEY_UNAVAILABLE: DATA_KEYS}
    a.down = None
    again = move.deployment.process(keyring=Keyring([b, a]))
    assert again.rewrap.run(ignore).failed == 0
    assert move.refs() == [{"a", "b"}] * DATA_KEYS


def test_data_keys_that_fail_for_different_reasons_are_told_apart(
    move: Move, tenants: list[Tenant]
) -> None:
    b, a = Scripted(move.b), Scripted(move.a)
    services = move.deployment.process(keyring=Keyring([b, a]))
    services.accounts.list()  # the system key is open
    a.calls = 0

    def fail_by_turns() -> None:
        a.down = KeyDisabled("It is disabled.") if a.calls % 2 else KeyAccessDenied("It is denied.")

    a.before_call = fail_by_turns
    progress = services.rewrap.run(ignore)
    assert progress.reasons.keys() == {FailureReason.KEY_DISABLED, FailureReason.KEY_ACCESS_DENIED}
    assert progress.failed == DATA_KEYS


def test_a_write_that_fails_late_is_counted_and_the_next_batch_is_done(
    move: Move, tenants: list[Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_keys, "BATCH", 2)
    services, steps = counting(move)
    steps.before("wrappings.add", unavailable)
    progress = services.rewrap.run(ignore)
    assert (progress.changed, progress.reasons) == (3, {FailureReason.STORAGE_UNAVAILABLE: 2})
    assert move.process(move.b, move.a).rewrap.run(ignore).changed == 2


def unavailable() -> None:
    raise StorageUnavailable
