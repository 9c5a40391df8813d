"""The trail is held against what happened: by several clients, with faults, restarts and groups.

The model knows each change that was committed, also where the answer was lost. There is a record
of each, and of nothing else.
"""

import string
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.domain.errors import DomainError, StorageUnavailable
from app.domain.secrets import SecretRef
from app.repository.base import Database, UnitOfWork
from tests.support.deployment import Clock, Deployment, Tenant, copied, new_tenant
from tests.unit.app.services.audit.trail_of import gaps, records

CLIENTS = 2
TOGETHER = 6
NONCE = "n" * 22

clients = st.integers(0, CLIENTS - 1)
names = st.sampled_from(string.ascii_uppercase[:4])
faults = st.sampled_from([None, None, None, "killed before COMMIT", "answer lost"])
places = st.integers(0, 3)


class Faulty:
    """A database whose next commit fails before it was made, or after it.

    Attributes:
        fault: Of the next commit; ``None`` for none.
        was_committed: Whether the last commit was made.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fault: str | None = None
        self.was_committed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        with self._database.writing() as work:
            commit = work.commit
            work.commit = partial(self._commit, commit)  # type: ignore[method-assign]
            yield work

    def _commit(self, commit: Callable[[], None]) -> None:
        fault, self.fault = self.fault, None
        self.was_committed = False
        if fault == "killed before COMMIT":
            raise StorageUnavailable
        commit()
        self.was_committed = True
        if fault == "answer lost":
            raise StorageUnavailable


class TrailMachine(RuleBasedStateMachine):
    """Clients of one account, and the records that it must have."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.deployment = Deployment(home, Clock())
        self.databases: list[Faulty] = []
        tenant = new_tenant(self.deployment.process())
        tenant.create("FIRST")  # makes the data key
        self.tenants = [self._start(tenant) for _ in range(CLIENTS)]
        self.earlier = {each.id for each in self._records()}
        self.expected: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.versions: dict[str, int] = {}
        self.injections: list[tuple[Any, tuple[str, ...]]] = []
        self.redeemed: dict[str, tuple[str, ...]] = {}
        self.unnamed: Counter[str] = Counter()

    def _start(self, tenant: Tenant) -> Tenant:
        faulty = Faulty(self.deployment.database)
        self.databases.append(faulty)
        return tenant.at(self.deployment.process(database=faulty))

    def teardown(self) -> None:
        self.deployment.close()

    @rule(client=clients)
    def restart(self, client: int) -> None:
        """A worker ends, and another one takes its place."""
        place = len(self.databases)
        self.tenants[client] = self._start(self.tenants[client])
        self.databases[client] = self.databases.pop(place)

    @rule(client=clients, name=names, fault=faults)
    def create(self, client: int, name: str, fault: str | None) -> None:
        if self._do(client, fault, lambda tenant: tenant.create(name)):
            self.versions[name] = 1
            self._expect("secret.created", f"{self._id(name)}@1")

    @rule(client=clients, name=names, fault=faults)
    def update(self, client: int, name: str, fault: str | None) -> None:
        if self._do(client, fault, lambda tenant: tenant.update(name, "another")):
            self.versions[name] += 1
            self._expect("secret.updated", f"{self._id(name)}@{self.versions[name]}")

    @rule(client=clients, name=names, fault=faults)
    def delete(self, client: int, name: str, fault: str | None) -> None:
        secret_id = self._id(name) if name in self.versions else None
        if self._do(client, fault, lambda tenant: tenant.delete(name)):
            assert secret_id is not None
            del self.versions[name]
            self._expect("secret.deleted", secret_id)

    @rule(client=clients, name=names, fault=faults)
    def inject(self, client: int, name: str, fault: str | None) -> None:
        made = []
        if self._do(client, fault, lambda tenant: made.append(tenant.inject(name))):
            if not made:  # its answer was lost, and with it its id
                self.unnamed["injection.created"] += 1
                return
            self.injections.append((made[0], (name,)))
            self._expect("injection.created", made[0].id, self._id(name))

    @rule(client=clients, place=places, fault=faults)
    def redeem(self, client: int, place: int, fault: str | None) -> None:
        """Redeem an injection, or repeat that: every client has the same nonce."""
        if place >= len(self.injections):
            return
        injection, bound = self.injections[place]
        if not all(name in self.versions for name in bound):
            return
        again = injection.id in self.redeemed
        if self._do(client, fault, lambda tenant: tenant.redeem(injection.token, NONCE)):
            subjects = [f"{self._id(name)}@{self.versions[name]}" for name in bound]
            self.redeemed[injection.id] = bound
            action = "injection.repeated" if again else "injection.redeemed"
            self._expect(action, injection.id, *subjects)

    @rule(client=clients, name=names)
    def create_together(self, client: int, name: str) -> None:
        """Several threads write at once, in one commit on SQLite; at most one of them succeeds."""
        with ThreadPoolExecutor(TOGETHER) as pool:
            done = list(pool.map(lambda _: self._try_create(client, name), range(TOGETHER)))
        if any(done):
            assert done.count(True) == 1
            self.versions[name] = 1
            self._expect("secret.created", f"{self._id(name)}@1")

    @invariant()
    def each_commit_has_its_record_and_nothing_else_has(self) -> None:
        found = Counter(
            (each.action, each.subjects) for each in self._records() if each.id not in self.earlier
        )
        assert self.expected - found == Counter()
        rest = Counter[str]()
        for (action, _), count in (found - self.expected).items():
            rest[action] += count
        assert rest == self.unnamed
        assert [*gaps(self.tenants[0].services)] == []

    def _do(self, client: int, fault: str | None, do: Callable[[Tenant], object]) -> bool:
        """Do it, and return whether it was committed."""
        database = self.databases[client]
        database.fault, database.was_committed = fault, False
        try:
            do(self.tenants[client])
        except DomainError:
            database.fault = None
            return fault == "answer lost" and database.was_committed
        assert database.was_committed
        return True

    def _try_create(self, client: int, name: str) -> bool:
        with suppress(DomainError):
            self.tenants[client].create(name)
            return True
        return False

    def _expect(self, action: str, *subjects: str) -> None:
        self.expected[action, subjects] += 1

    def _id(self, name: str) -> str:
        tenant = self.tenants[0]
        return tenant.services.secrets.get(tenant.caller, SecretRef.by_name(name)).id

    def _records(self) -> list[Any]:
        tenant = self.tenants[0] if hasattr(self, "tenants") else None
        assert tenant is not None
        return records(tenant.services, tenant.caller.account_id)


@pytest.mark.slow
def test_there_is_a_record_of_each_commit_and_of_nothing_else(
    initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def machine() -> TrailMachine:
        return TrailMachine(copied(initialised, tmp_path_factory.mktemp("model") / "home"))

    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=[*HealthCheck],
        ),
    )


def test_the_model_notices_a_commit_without_a_record(
    initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = TrailMachine(copied(initialised, tmp_path / "home"))
    machine.create(0, "A", None)
    machine.each_commit_has_its_record_and_nothing_else_has()
    with machine.deployment.rows() as rows:
        rows.remove("audit_events", action="secret.created", actor=machine.tenants[0].key.id)
    with pytest.raises(AssertionError):
        machine.each_commit_has_its_record_and_nothing_else_has()
    machine.teardown()
