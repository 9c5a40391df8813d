"""Retiring a key gives up its wrappings, when every data key has another that can be opened."""

from collections.abc import Callable
from functools import partial

import pytest

from app.services.rotation import retire
from app.services.rotation.retire import NotFenced, StillInUse, StillNeeded, UnknownKeyRef
from backends.errors import KeyProviderConfigError, KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import VALUES, Move, counting, ignore, key_ref
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import BETWEEN_TRANSACTIONS

DATA_KEYS = 5


@pytest.fixture
def moved(move: Move, tenants: list[Tenant]) -> Move:
    """Every data key is wrapped by either file."""
    move.process(move.b, move.a).rewrap.run(ignore)
    return move


def fences(move: Move) -> list[str]:
    with move.deployment.rows() as rows:
        return [each["key_ref"] for each in rows.all("fences")]


def test_afterwards_nothing_is_wrapped_by_the_retired_key(moved: Move) -> None:
    retired = moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    assert retired.wrappings == DATA_KEYS
    assert moved.refs() == [{"b"}] * DATA_KEYS


def test_every_value_still_opens_when_the_retired_file_is_gone(
    moved: Move, tenants: list[Tenant]
) -> None:
    moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    (moved.deployment.home / "keys").unlink()
    only_b = moved.process(moved.b)
    assert [tenant.at(only_b).values() for tenant in tenants] == [VALUES, VALUES]


def test_retiring_again_is_no_fault(moved: Move) -> None:
    services = moved.process(moved.b)
    services.retire.run(key_ref(moved.a))
    assert services.retire.run(key_ref(moved.a)).wrappings == 0


def test_a_key_that_data_keys_depend_on_is_not_retired(move: Move, tenants: list[Tenant]) -> None:
    with pytest.raises(StillNeeded, match=str(DATA_KEYS)):
        move.process(move.b, move.a).retire.run(key_ref(move.a))
    assert (move.refs(), fences(move)) == ([{"a"}] * DATA_KEYS, [])


def test_one_stranded_data_key_is_enough_to_refuse(moved: Move) -> None:
    new_tenant(moved.process(moved.a)).create("A")
    with pytest.raises(StillNeeded, match="1 data keys"):
        moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))


def test_what_only_an_unlisted_provider_opens_is_no_reason_to_let_go(moved: Move) -> None:
    third = moved.deployment.key_file("third")
    with pytest.raises(StillNeeded):
        moved.process(third, moved.a).retire.run(key_ref(moved.a))


def test_what_a_provider_that_is_down_would_open_is_no_reason_to_let_go(moved: Move) -> None:
    third, second = moved.deployment.key_file("third"), Scripted(moved.b)
    keyring = Keyring([Scripted(third), second, Scripted(moved.a)])
    second.down = KeyUnavailable("The provider is down.")
    services = moved.deployment.process(keyring=keyring)
    with pytest.raises(StillNeeded, match=r"STRONGROOM_KEYS \(entry 2\): The provider is down"):
        services.retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])


def test_what_a_provider_does_not_open_is_no_reason_to_let_go(moved: Move) -> None:
    """It is healthy, and holds another key under the name of the one that was lost."""
    impostor = Scripted(moved.deployment.key_file("third"))
    (master,) = impostor._masters.values()
    impostor._masters, impostor._current = {key_ref(moved.b): master}, key_ref(moved.b)
    third = Scripted(moved.deployment.key_file("fourth"))
    keyring = Keyring([third, Scripted(moved.a), impostor])
    services = moved.deployment.process(keyring=keyring)
    with pytest.raises(StillNeeded):
        services.retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])


@pytest.mark.parametrize(
    ("table", "change"),
    [("wrappings", {"blob": b"another"}), ("data_keys", {"created_at_ms": 1})],
)
def test_a_data_key_whose_rows_were_edited_keeps_its_wrappings(
    moved: Move, tenants: list[Tenant], table: str, change: dict[str, object]
) -> None:
    account_id = tenants[0].caller.account_id
    by = {"key_ref": key_ref(moved.b)} if table == "wrappings" else {}
    with moved.deployment.rows() as rows:
        rows.edit(table, {"account_id": account_id, **by}, **change)
    with pytest.raises(StillNeeded, match="2 data keys"):
        moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])


def test_a_key_that_still_makes_new_wrappings_is_not_retired(moved: Move) -> None:
    with pytest.raises(StillInUse, match=r"^STRONGROOM_KEYS \(entry 1\): .* rewrap; .* retire"):
        moved.process(moved.a, moved.b).retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])


def test_a_key_that_still_makes_wrappings_for_escrow_is_not_retired(moved: Move) -> None:
    with pytest.raises(StillInUse, match=r"^STRONGROOM_ESCROW_KEYS \(entry 1\): "):
        moved.process(moved.b, escrow=moved.a).retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])


def test_nothing_is_retired_while_who_wraps_cannot_tell_by_which_key(moved: Move) -> None:
    first = Scripted(moved.b)
    first.down = KeyUnavailable("The provider is down.")
    services = moved.deployment.process(keyring=Keyring([first, Scripted(moved.a)]))
    with pytest.raises(KeyUnavailable, match=r"STRONGROOM_KEYS \(entry 1\)"):
        services.retire.run(key_ref(moved.a))
    assert fences(moved) == []


def test_a_key_ref_that_nothing_has_is_unknown(moved: Move) -> None:
    with pytest.raises(UnknownKeyRef):
        moved.process(moved.b).retire.run("local-fernet:nothing")
    assert fences(moved) == []


def test_a_writer_on_the_old_setting_is_told_which_setting_is_wrong(moved: Move) -> None:
    moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    newcomer = new_tenant(moved.process(moved.a, moved.b))
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        newcomer.create("A")
    assert len(moved.refs()) == DATA_KEYS


def test_a_writer_on_the_old_setting_keeps_using_an_aged_data_key(
    moved: Move, tenants: list[Tenant]
) -> None:
    moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    moved.deployment.clock.advance(days=31)
    tenants[0].at(moved.process(moved.a, moved.b)).create("LATER", "a later value")
    assert tenants[0].at(moved.process(moved.b)).value("LATER") == "a later value"


def test_a_rewrap_on_the_old_setting_is_told_which_setting_is_wrong(
    moved: Move, tenants: list[Tenant]
) -> None:
    moved.process(moved.b, moved.a).retire.run(key_ref(moved.a))
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        moved.process(moved.a, moved.b).rewrap.run(ignore)
    assert moved.refs() == [{"b"}] * DATA_KEYS


def test_undoing_a_retirement_lets_the_key_wrap_again(moved: Move) -> None:
    services = moved.process(moved.b, moved.a)
    services.retire.run(key_ref(moved.a))
    services.retire.undo(key_ref(moved.a))
    new_tenant(moved.process(moved.a, moved.b)).create("A")
    assert moved.refs()[-1] == {"a"}


def test_undoing_without_a_retirement_is_refused(moved: Move) -> None:
    with pytest.raises(NotFenced):
        moved.process(moved.b, moved.a).retire.undo(key_ref(moved.a))


def test_of_two_retirements_at_once_one_is_refused_and_leaves_no_fence(
    moved: Move, tenants: list[Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retire, "BATCH", 2)
    prepared = moved.deployment.snapshot()
    whole, steps = counting(moved)
    whole.retire.run(key_ref(moved.a))
    for number, name in enumerate(steps.names, start=1):
        if name not in BETWEEN_TRANSACTIONS:
            continue
        moved.deployment.restore(prepared)
        services, counted = counting(moved)
        refused: list[str] = []
        other = moved.process(moved.a, moved.b)
        counted.at(number, partial(attempt, other.retire.run, key_ref(moved.b), refused))
        attempt(services.retire.run, key_ref(moved.a), refused)
        assert len(refused) == 1
        assert set(fences(moved)) == {key_ref(moved.a), key_ref(moved.b)} - set(refused)
        both = moved.process(moved.a, moved.b)
        assert [tenant.at(both).values() for tenant in tenants] == [VALUES, VALUES]


def attempt(run: Callable[[str], object], ref: str, refused: list[str]) -> None:
    try:
        run(ref)
    except StillNeeded:
        refused.append(ref)
