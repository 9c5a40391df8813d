"""``run --watch`` on a clock that only its own pauses move: when it looks, says and restarts."""

from collections.abc import Callable

import pytest

from app.client.api import Server
from app.client.redeem import UNAVAILABLE, Fault, Refused
from app.client.terminal.start import Job
from app.client.watch import ChangeWatch, Stamps, look, vary
from tests.unit.app.client.protocol_server import API_KEY, ProtocolServer, secret_id


class OutOfTimeError(Exception):
    """Nothing happened for a day."""


class World:
    """A server with secrets, what happens to them when, and what the user is told."""

    def __init__(self, *names: str) -> None:
        self.now = 0.0
        self.rows: dict[str, tuple[str, int] | None] = dict.fromkeys(names or ("A",), ("sec_1", 1))
        self.value = "first"
        self.planned: list[tuple[float, Callable[[], None]]] = []
        self.said: list[str] = []
        self.looks: list[float] = []
        self.fetched: list[float] = []
        self.refusing_looks = self.refusing_values = False
        self.watch = ChangeWatch(
            self._job(),
            dict(self.rows),
            look=self._look,
            fetch=self._fetch,
            say=self.said.append,
            interval=5,
            pause=self._pause,
            vary=lambda seconds: seconds,
        )

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        self.planned.append((seconds, action))

    def set(self, name: str = "A", value: str | None = None) -> None:
        self.rows[name] = ("sec_1", round(self.now * 1000) + 2)
        self.value = value or f"value of {self.now}"

    def delete(self, name: str = "A") -> None:
        self.rows[name] = None

    def next_value(self) -> bytes:
        return self.watch.next_job().environment[b"A"]

    def run_for_a_day(self) -> None:
        with pytest.raises(OutOfTimeError):
            self.watch.next_job()

    def _job(self) -> Job:
        return Job(["true"], {b"A": self.value.encode()}, None)

    def _pause(self, seconds: float) -> None:
        end = self.now + seconds
        for when, action in sorted(self.planned, key=lambda each: each[0]):
            if when <= end:
                self.now = max(self.now, when)
                self.planned.remove((when, action))
                action()
        self.now = end
        if self.now > 86_400:
            raise OutOfTimeError

    def _look(self) -> Stamps:
        self.looks.append(self.now)
        if self.refusing_looks:
            raise Refused(Fault("no response.", UNAVAILABLE))
        return dict(self.rows)

    def _fetch(self) -> Job:
        self.fetched.append(self.now)
        if self.refusing_values:
            raise Refused(Fault("key_unavailable.", UNAVAILABLE))
        return self._job()


def test_a_change_is_found_at_the_next_look_and_said() -> None:
    world = World("A", "B")
    world.at(12, lambda: world.set("A", "second"))
    assert world.next_value() == b"second"
    assert world.now < 12 + 5 + 2
    assert world.said == ["A changed: the command is started again"]


def test_values_are_not_fetched_while_nothing_changes() -> None:
    world = World()
    world.run_for_a_day()
    assert len(world.looks) == 86_400 / 5
    assert (world.fetched, world.said) == ([], [])


def test_a_secret_that_was_set_to_the_same_value_restarts_nothing() -> None:
    world = World()
    world.at(12, lambda: world.set("A", "first"))
    world.run_for_a_day()
    assert (len(world.fetched), world.said) == (1, [])


def test_many_changes_at_once_are_one_restart() -> None:
    world = World(*"ABCDEFGH")
    for number, name in enumerate("ABCDEFGH"):
        world.at(12 + number * 0.7, lambda name=name: world.set(name))  # type: ignore[misc]
    world.next_value()
    assert world.said == ["A and 7 others changed: the command is started again"]
    world.run_for_a_day()
    assert len(world.fetched) == 1


def test_changes_without_an_end_restart_it_once_a_minute() -> None:
    world = World()
    for number in range(1200):
        world.at(number * 0.5, world.set)
    for _ in range(5):
        world.next_value()
    gaps = [after - before for before, after in zip(world.fetched, world.fetched[1:], strict=False)]
    assert min(gaps) > 60


def test_a_command_runs_for_ten_seconds_at_least() -> None:
    world = World()
    for second in (1, 6, 9):
        world.at(second, world.set)
    world.next_value()
    started = world.now
    world.at(started + 0.1, world.set)
    world.next_value()
    assert world.now >= started + 10


def test_a_server_that_is_away_is_asked_less_often_and_named_once() -> None:
    world = World()
    world.refusing_looks = True
    world.at(1000, lambda: setattr(world, "refusing_looks", False))
    world.at(2000, lambda: world.set("A", "second"))
    assert world.next_value() == b"second"
    gaps = [after - before for before, after in zip(world.looks, world.looks[1:], strict=False)]
    assert gaps[:6] == [10, 20, 40, 60, 60, 60]
    assert max(gaps) == 60
    assert world.said == [
        "the server cannot be asked for changes, and the command goes on: no response.",
        "the server can be asked again",
        "A changed: the command is started again",
    ]
    assert world.now < 2000 + 5 + 2


def test_a_value_that_cannot_be_fetched_keeps_the_command_running() -> None:
    world = World()
    world.refusing_values = True
    world.at(12, lambda: world.set("A", "second"))
    world.at(1000, lambda: setattr(world, "refusing_values", False))
    assert world.next_value() == b"second"
    assert world.said == [
        "A changed, but cannot be fetched, and the command goes on: key_unavailable.",
        "the server can be asked again",
        "A changed: the command is started again",
    ]
    assert len(world.fetched) < 30


def test_a_deleted_secret_is_named_once_and_restarts_nothing() -> None:
    world = World("A", "B")
    world.at(12, world.delete)
    world.run_for_a_day()
    assert world.said == ["A was deleted: the command goes on with its value"]
    assert world.fetched == []


def test_a_secret_that_was_deleted_and_made_again_restarts_the_command() -> None:
    world = World()
    world.at(12, world.delete)
    world.at(50, lambda: world.set("A", "second"))
    assert world.next_value() == b"second"


def test_a_change_while_the_values_are_fetched_is_found_too() -> None:
    """Its stamp is older than the values, never newer."""
    world = World()
    fetch = world._fetch

    def fetch_late() -> Job:
        job = fetch()
        world.set("A", "third")
        return job

    world.watch._fetch = fetch_late
    world.at(12, lambda: world.set("A", "second"))
    assert world.next_value() == b"second"
    world.watch._fetch = fetch
    assert world.next_value() == b"third"


def test_pauses_vary_by_a_fifth() -> None:
    found = {vary(10.0) for _ in range(1000)}
    assert min(found) >= 8
    assert max(found) <= 12
    assert len(found) > 100


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (8, 8), (9, 5)])
def test_few_secrets_are_looked_up_alone_and_many_in_the_list(
    server: ProtocolServer, count: int, calls: int
) -> None:
    """The tests' server lists two secrets a page."""
    names = [f"S{number}" for number in range(count)]
    server.secrets = dict.fromkeys(names, "x")
    server.updated["S0"] = 7_000
    environ = {"RUNLOOP_BASE_URL": server.url, "RUNLOOP_API_KEY": API_KEY}
    found = look(Server(environ).account(10), [*names, "S0"])
    assert found.keys() == set(names)
    assert found["S0"] == (secret_id("S0"), 7_000)
    assert len(server.exchanges) == calls


@pytest.mark.parametrize("others", [0, 9])
def test_a_secret_that_does_not_exist_has_no_stamp(server: ProtocolServer, others: int) -> None:
    names = [f"S{number}" for number in range(others)]
    server.secrets = dict.fromkeys(names, "x")
    environ = {"RUNLOOP_BASE_URL": server.url, "RUNLOOP_API_KEY": API_KEY}
    assert look(Server(environ).account(10), [*names, "GONE"])["GONE"] is None
