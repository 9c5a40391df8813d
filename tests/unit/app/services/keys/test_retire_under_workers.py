"""A root key is not retired while a live worker opens the system data key by nothing else."""

from collections.abc import Callable

import pytest

from app.domain.operations.workers import Worker
from app.services.container import Services
from app.services.rotation import retire
from app.services.rotation.retire import NeededByWorkers
from tests.support.deployment import Tenant
from tests.unit.app.services.keys.moving import Move, ignore, key_ref
from tests.unit.app.services.test_heartbeats import beat

DATA_KEYS = 5


@pytest.fixture
def moved(move: Move, tenants: list[Tenant]) -> Move:
    """Every data key is wrapped by either file."""
    move.process(move.b, move.a).rewrap.run(ignore)
    return move


def started(move: Move, *uris: str) -> Services:
    """A worker that has told of itself."""
    worker = move.process(*uris)
    beat(worker)
    return worker


def command(move: Move, meanwhile: Callable[[], object] = lambda: None) -> Services:
    """A process of an operator.

    Args:
        meanwhile: What happens each time that it waits for workers.
    """
    services = move.process(move.b, move.a)
    services.retire._sleep = lambda _: (meanwhile(), None)[1]
    return services


def fences(move: Move) -> list[str]:
    with move.deployment.rows() as rows:
        return [each["key_ref"] for each in rows.all("fences")]


def node(move: Move) -> str:
    with move.deployment.rows() as rows:
        return str(rows.one("workers")["node"])


def silence(move: Move, seconds: int) -> None:
    """No worker was heard from for so long."""
    with move.deployment.rows() as rows:
        for row in rows.all("workers"):
            seen_at_ms = row["seen_at_ms"] - seconds * 1000
            rows.edit("workers", {"id": row["id"]}, seen_at_ms=seen_at_ms)


def test_a_worker_that_lists_nothing_else_is_named(moved: Move) -> None:
    worker = started(moved, moved.a)
    with pytest.raises(NeededByWorkers, match=node(moved)):
        command(moved, lambda: beat(worker)).retire.run(key_ref(moved.a))


def test_what_is_refused_changes_nothing_and_lifts_its_fence(moved: Move) -> None:
    worker = started(moved, moved.a)
    with pytest.raises(NeededByWorkers):
        command(moved, lambda: beat(worker)).retire.run(key_ref(moved.a))
    assert (moved.refs(), fences(moved)) == ([{"a", "b"}] * DATA_KEYS, [])
    beat(worker)
    assert worker.readiness.report().ready


def test_a_fence_of_before_stays_when_a_worker_is_in_the_way(moved: Move) -> None:
    with moved.deployment.database.writing() as work:
        work.wrappings.fence(key_ref(moved.a))
        work.commit()
    worker = started(moved, moved.a)
    with pytest.raises(NeededByWorkers):
        command(moved, lambda: beat(worker)).retire.run(key_ref(moved.a))
    assert fences(moved) == [key_ref(moved.a)]


def test_workers_that_open_the_system_key_by_another_provider_are_no_hindrance(
    moved: Move,
) -> None:
    workers = [started(moved, moved.b, moved.a), started(moved, moved.a, moved.b)]

    def beat_all() -> None:
        for each in workers:
            beat(each)

    services = command(moved, beat_all)
    assert services.retire.run(key_ref(moved.a)).wrappings == DATA_KEYS


def test_a_worker_that_lists_another_provider_which_does_not_answer_is_in_the_way(
    moved: Move,
) -> None:
    third = moved.deployment.key_file("third")
    worker = started(moved, moved.a, third)
    with pytest.raises(NeededByWorkers):
        command(moved, lambda: beat(worker)).retire.run(key_ref(moved.a))


def test_a_worker_that_does_not_know_the_fence_yet_is_waited_for(moved: Move) -> None:
    worker = started(moved, moved.b)
    waited: list[str] = []

    def meanwhile() -> None:
        waited.append("once")
        if len(waited) == 3:
            beat(worker)

    command(moved, meanwhile).retire.run(key_ref(moved.a))
    assert len(waited) == 3


def test_a_worker_that_falls_silent_is_waited_for_no_longer(moved: Move) -> None:
    started(moved, moved.a)
    services = command(moved, lambda: silence(moved, 61))
    assert services.retire.run(key_ref(moved.a)).wrappings == DATA_KEYS


def test_a_worker_that_was_silent_before_does_not_count(moved: Move) -> None:
    started(moved, moved.a)
    silence(moved, 61)
    services = command(moved, lambda: pytest.fail("nobody is waited for"))
    assert services.retire.run(key_ref(moved.a)).wrappings == DATA_KEYS


def test_each_batch_looks_for_workers_again(moved: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retire, "BATCH", 1)
    services = command(moved)
    refuse_if_needed = services.retire._refuse_if_needed
    looks: list[int] = []

    def one_begins(live: list[Worker], name: str) -> None:
        looks.append(len(live))
        if len(looks) == 3:  # the first is before the batches
            live.append(worker_on(key_ref(moved.a)))
        refuse_if_needed(live, name)

    monkeypatch.setattr(services.retire, "_refuse_if_needed", one_begins)
    with pytest.raises(NeededByWorkers, match="late/1"):
        services.retire.run(key_ref(moved.a))
    assert moved.refs().count({"a", "b"}) == DATA_KEYS - 1


def worker_on(ref: str) -> Worker:
    return Worker(
        id="wkr_late", node="late/1", key_refs=(ref,), opened_by=(ref,), fence_generation=1
    )


@pytest.mark.parametrize("opened_by", ["", "no list", "{}", '["a', "[1]", "[" * 100_000])
def test_a_row_that_was_edited_names_its_worker(moved: Move, opened_by: str) -> None:
    worker = started(moved, moved.b)
    services = command(moved, lambda: beat(worker))
    with moved.deployment.rows() as rows:
        rows.edit("workers", {}, opened_by=opened_by, fence_generation=9, node="web\x1b[31m")
    with pytest.raises(NeededByWorkers, match=r"'web\\x1b\[31m'"):
        services.retire.run(key_ref(moved.a))


def test_a_dry_run_tells_which_workers_list_nothing_else(moved: Move) -> None:
    started(moved, moved.a)
    started(moved, moved.a, moved.b)
    found = command(moved).retire.count(key_ref(moved.a))
    assert found.blind_workers == (
        f"the worker {found_node(moved)} opens the system data key by nothing else",
    )
    assert fences(moved) == []


def found_node(move: Move) -> str:
    with move.deployment.rows() as rows:
        return {str(each["node"]) for each in rows.all("workers")}.pop()


def test_the_status_lists_live_and_silent_workers(moved: Move) -> None:
    started(moved, moved.a)
    silence(moved, 61)
    started(moved, moved.b)
    workers = command(moved).keyring_status.report().workers
    states = {each.worker.opened_by: each.is_live for each in workers}
    assert states == {(key_ref(moved.a),): False, (key_ref(moved.b),): True}


def test_an_interrupted_wait_lifts_the_fence(moved: Move) -> None:
    started(moved, moved.b)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command(moved, interrupt).retire.run(key_ref(moved.a))
    assert fences(moved) == []
