"""The report of the keyring: what every provider wraps, and what could open every wrapping."""

from app.services.keys.status import KeyringReport
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import Move, ignore, key_ref
from tests.unit.app.services.providers import Scripted

DATA_KEYS = 5


def states(report: KeyringReport) -> dict[str, tuple[str, int]]:
    return {line.key_ref: (line.state, line.wrappings) for line in report.key_refs}


def missing(report: KeyringReport) -> list[tuple[str, int | None]]:
    return [(line.role, line.data_keys_without) for line in report.providers]


def test_before_a_move_all_wrappings_are_current(move: Move, tenants: list[Tenant]) -> None:
    report = move.process(move.a).keyring_status.report()
    assert states(report) == {key_ref(move.a): ("current", DATA_KEYS)}
    assert missing(report) == [("wraps", 0)]
    assert (report.data_keys, report.unreadable_data_keys) == (DATA_KEYS, 0)


def test_with_a_new_first_provider_the_old_wrappings_are_stale(
    move: Move, tenants: list[Tenant]
) -> None:
    report = move.process(move.b, move.a).keyring_status.report()
    assert states(report) == {key_ref(move.a): ("stale", DATA_KEYS)}
    assert missing(report) == [("wraps", DATA_KEYS), ("unwraps", None)]


def test_half_way_the_report_says_how_much_is_left(move: Move, tenants: list[Tenant]) -> None:
    move.process(move.b, move.a).rewrap.run(ignore)
    new_tenant(move.process(move.a)).create("A")
    report = move.process(move.b, move.a).keyring_status.report()
    assert states(report) == {
        key_ref(move.a): ("stale", DATA_KEYS + 1),
        key_ref(move.b): ("current", DATA_KEYS),
    }
    assert missing(report) == [("wraps", 1), ("unwraps", None)]


def test_what_no_listed_provider_owns_is_orphaned_and_unreadable(
    move: Move, tenants: list[Tenant]
) -> None:
    report = move.process(move.b).keyring_status.report()
    assert states(report) == {key_ref(move.a): ("orphaned", DATA_KEYS)}
    assert report.unreadable_data_keys == DATA_KEYS


def test_an_escrow_key_that_has_no_wrappings_yet_is_reported(
    move: Move, tenants: list[Tenant]
) -> None:
    report = move.process(move.a, escrow=move.b).keyring_status.report()
    assert missing(report) == [("wraps", 0), ("escrow", DATA_KEYS)]


def test_a_retired_key_is_fenced(move: Move, tenants: list[Tenant]) -> None:
    services = move.process(move.b, move.a)
    services.rewrap.run(ignore)
    with move.deployment.rows() as rows:
        rows.plant("fences", {"key_ref": key_ref(move.a)})
    assert states(services.keyring_status.report())[key_ref(move.a)] == ("fenced", DATA_KEYS)


def test_a_fence_without_wrappings_is_reported_until_it_is_lifted(
    move: Move, tenants: list[Tenant]
) -> None:
    services = move.process(move.b, move.a)
    services.rewrap.run(ignore)
    services.retire.run(key_ref(move.a))
    assert states(services.keyring_status.report())[key_ref(move.a)] == ("fenced", 0)
    services.retire.undo(key_ref(move.a))
    assert key_ref(move.a) not in states(services.keyring_status.report())


def test_a_provider_that_is_down_is_reported_with_the_reason(
    move: Move, tenants: list[Tenant]
) -> None:
    provider = Scripted(move.a)
    provider.down = KeyUnavailable("The provider is down.")
    report = move.deployment.process(keyring=Keyring([provider])).keyring_status.report()
    (line,) = report.providers
    assert (line.status.healthy, line.status.detail) == (False, "The provider is down.")
    assert line.data_keys_without is None
