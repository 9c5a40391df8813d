"""Updates, rollbacks, deletions and purges of one secret at once, from threads of two processes."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import pytest

from app.domain.errors import SecretNotFound, StorageUnavailable
from app.domain.secret_versions import Rollback, SecretVersionNotFound, VersionIsCurrent
from app.domain.secrets import SecretRef
from app.repository.connect import connect
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, new_tenant

A = SecretRef.by_name("A")
THREADS = 8
ROUNDS = 12
REFUSALS = (SecretVersionNotFound, VersionIsCurrent, SecretNotFound, StorageUnavailable)


@dataclass
class Writer:
    """One thread, and what it did."""

    tenant: Tenant
    number: int
    updates: int = 0
    rollbacks: list[Rollback] = field(default_factory=list)

    def run(self, start: Barrier, acts: Callable[[random.Random], str]) -> None:
        chance = random.Random(self.number)
        start.wait(30)
        for turn in range(ROUNDS):
            try:
                self._act(acts(chance), chance, turn)
            except REFUSALS:
                continue

    def _act(self, act: str, chance: random.Random, turn: int) -> None:
        versions, caller = self.tenant.services.secret_versions, self.tenant.caller
        if act == "update":
            self.tenant.update("A", f"of thread {self.number}, turn {turn}")
            self.updates += 1
        elif act == "delete secret":
            self.tenant.delete("A")
        elif act == "purge":
            versions.purge(caller, A, None)
        else:
            listed = versions.list(caller, A)
            version = chance.choice(listed).version
            if act == "roll back":
                self.rollbacks.append(versions.roll_back(caller, A, version, None))
            else:
                versions.delete(caller, A, version, None)


@pytest.fixture
def writers(deployment: Deployment) -> list[Writer]:
    """Threads of two processes with connections of their own, of the owner of one secret."""
    elsewhere = connect(deployment.settings().database_url)
    processes = [deployment.process(), deployment.process(database=elsewhere)]
    tenant = new_tenant(processes[0])
    tenant.create("A", "the first value")
    return [Writer(tenant.at(processes[number % 2]), number) for number in range(THREADS)]


def race(writers: list[Writer], acts: Callable[[random.Random], str]) -> None:
    start = Barrier(len(writers))
    with ThreadPoolExecutor(len(writers)) as pool:
        for done in [pool.submit(writer.run, start, acts) for writer in writers]:
            done.result(120)


def test_each_write_gets_a_number_of_its_own_and_old_values_stay_what_they_were(
    writers: list[Writer],
) -> None:
    weighted = ["update"] * 4 + ["roll back"] * 4 + ["delete", "purge"]
    race(writers, lambda chance: chance.choice(weighted))
    tenant = writers[0].tenant
    versions = tenant.services.secret_versions
    written = sum(writer.updates + len(writer.rollbacks) for writer in writers)
    listed = [each.version for each in versions.list(tenant.caller, A)]
    assert listed[0] == 1 + written
    assert listed == sorted(set(listed), reverse=True)
    rollbacks = [each for writer in writers for each in writer.rollbacks]
    assert len({each.version for each in rollbacks}) == len(rollbacks) > 0
    values = {listed[0]: tenant.value("A")}
    for version in listed[:0:-1]:
        versions.roll_back(tenant.caller, A, version, None)
        values[version] = tenant.value("A")
    for each in rollbacks:
        if {each.version, each.restored_version} <= values.keys():
            assert values[each.version] == values[each.restored_version]


def test_a_secret_that_is_deleted_meanwhile_leaves_no_version(
    writers: list[Writer], rows: Rows
) -> None:
    weighted = ["update"] * 5 + ["roll back"] * 5 + ["delete secret"]
    race(writers, lambda chance: chance.choice(weighted))
    tenant = writers[0].tenant
    if "A" in tenant.names():
        tenant.delete("A")
    assert rows.all("secret_versions") == []
