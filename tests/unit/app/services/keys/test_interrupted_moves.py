"""A sweep over the keys may be killed anywhere: run again by a new process, its end is the same.

Each sweep is killed by SIGKILL before the first of every kind of step that it takes, and after each
of its commits: nothing else of it outlives the process.
"""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from app.services.container import Services
from app.services.keys import sweep as held_keys
from app.services.rotation import reencrypt, retire
from tests.support.deployment import Tenant
from tests.unit.app.services.keys.moving import VALUES, Move, counting, ignore, key_ref

Sweep = Callable[[Services, Move], object]

# From Python 3.12 on, forking warns while other tests' servers have threads; the child uses none.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of rows takes several transactions."""
    monkeypatch.setattr(held_keys, "BATCH", 2)
    monkeypatch.setattr(reencrypt, "BATCH", 1)
    monkeypatch.setattr(retire, "BATCH", 2)


def rewrap(services: Services, _: Move) -> object:
    return services.rewrap.run(ignore)


def retire_a(services: Services, move: Move) -> object:
    return services.retire.run(key_ref(move.a))


def reencrypt_all(services: Services, _: Move) -> object:
    return services.reencrypt.run(ignore)


def points(names: list[str]) -> list[int]:
    """The numbers of the steps before which to kill a sweep."""
    first = [at for at, name in enumerate(names) if name not in names[:at]]
    commits = [at for at, name in enumerate(names) if name == "committed"]
    assert commits
    return [at + 1 for at in sorted({*first, *commits})]


def kill_at(number: int, sweep: Sweep, move: Move) -> None:
    """Run a sweep in a process of its own that is killed before its step of this number."""
    child = os.fork()
    if child == 0:
        try:
            services, steps = counting(move)
            steps.at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
            sweep(services, move)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def killed_everywhere(sweep: Sweep, move: Move) -> Iterator[None]:
    """Yields after a sweep that was killed and run again by a new process, for every place."""
    prepared = move.deployment.snapshot()
    whole, steps = counting(move)
    sweep(whole, move)
    for number in points(steps.names):
        move.deployment.restore(prepared)
        kill_at(number, sweep, move)
        sweep(move.process(move.b, move.a), move)
        yield


def values_by(move: Move, tenants: list[Tenant], *uris: str) -> list[dict[str, str]]:
    services = move.process(*uris)
    return [tenant.at(services).values() for tenant in tenants]


def test_a_killed_rewrap_goes_on_to_the_same_end(move: Move, tenants: list[Tenant]) -> None:
    for _ in killed_everywhere(rewrap, move):
        assert move.refs() == [{"a", "b"}] * 5
        assert values_by(move, tenants, move.b) == [VALUES, VALUES]


def test_a_killed_retirement_goes_on_to_the_same_end(move: Move, tenants: list[Tenant]) -> None:
    rewrap(move.process(move.b, move.a), move)
    for _ in killed_everywhere(retire_a, move):
        assert move.refs() == [{"b"}] * 5
        assert values_by(move, tenants, move.b) == [VALUES, VALUES]


def test_a_killed_re_encryption_goes_on_to_the_same_end(move: Move, tenants: list[Tenant]) -> None:
    for _ in killed_everywhere(reencrypt_all, move):
        assert move.refs() == [{"a"}, {"b"}, {"b"}]
        assert values_by(move, tenants, move.b, move.a) == [VALUES, VALUES]
