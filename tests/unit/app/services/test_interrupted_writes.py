"""A write that ends half-way has happened or has not; sent again, it has happened once.

Each operation is killed at its first step, its second, and so on until it completes; each step of
the database and of the provider is one, as are both sides of a commit.
"""

from collections.abc import Callable
from functools import partial

import pytest

from app.domain.access.scopes import Scope
from app.domain.errors import StorageUnavailable
from app.domain.idempotency import RetryKey
from app.domain.secrets import SecretRef, SecretValue
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.databases import Row
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Killed, Steps, stepped

RETRY = RetryKey("request-1", b"POST /v1/something")
OLD = SecretRef.by_name("OLD")
WRITTEN = (
    *("accounts", "api_keys", "secrets", "secret_versions"),
    *("injections", "stored_responses"),
)

LASTING = ("provider", "commit", "committed")
"""Steps around which something outlives the process; before any other, a kill does no more."""

Operation = Callable[[Tenant], object]


def create(tenant: Tenant) -> object:
    return tenant.services.secrets.create(tenant.caller, "NEW", SecretValue("new"), RETRY)


def update(tenant: Tenant) -> object:
    return tenant.services.secrets.update(tenant.caller, OLD, SecretValue("updated"), RETRY)


def delete(tenant: Tenant) -> object:
    return tenant.services.secrets.delete(tenant.caller, OLD, RETRY)


def roll_back(tenant: Tenant) -> object:
    return tenant.services.secret_versions.roll_back(tenant.caller, OLD, 1, RETRY)


def delete_version(tenant: Tenant) -> object:
    return tenant.services.secret_versions.delete(tenant.caller, OLD, 1, RETRY)


def purge(tenant: Tenant) -> object:
    return tenant.services.secret_versions.purge(tenant.caller, OLD, RETRY)


def mint(tenant: Tenant) -> object:
    return tenant.services.api_keys.mint(
        tenant.caller,
        name="minted",
        scopes=frozenset({Scope.SECRETS_READ}),
        expires_at_ms=None,
        retry=RETRY,
    )


def inject(tenant: Tenant) -> object:
    return tenant.services.injections.create(tenant.caller, {"OLD": "OLD"}, 300, RETRY)


def revoke(tenant: Tenant) -> object:
    (injection,) = tenant.services.injections.list(tenant.caller, 1, None).injections
    return tenant.services.injections.revoke(tenant.caller, injection.id or "", RETRY)


def seed(deployment: Deployment, *, days: int) -> Tenant:
    tenant = new_tenant(deployment.process())
    tenant.create("OLD", "old")
    tenant.inject("OLD")
    deployment.clock.advance(days=days)
    return tenant


def changed(deployment: Deployment, *, days: int) -> Tenant:
    """A tenant with an old version; its second data key is due after 31 days."""
    tenant = seed(deployment, days=days)
    tenant.update("OLD", "a newer value")
    return tenant


CASES: dict[str, tuple[Operation, Callable[[Deployment], Tenant]]] = {
    "the first secret": (create, lambda deployment: new_tenant(deployment.process())),
    "a secret": (create, lambda deployment: seed(deployment, days=0)),
    "a secret under a new data key": (create, lambda deployment: seed(deployment, days=31)),
    "an update": (update, lambda deployment: seed(deployment, days=0)),
    "a deletion": (delete, lambda deployment: seed(deployment, days=0)),
    "an update of many": (update, lambda deployment: changed(deployment, days=0)),
    "a rollback": (roll_back, lambda deployment: changed(deployment, days=0)),
    "a rollback to an old data key": (roll_back, lambda deployment: changed(deployment, days=31)),
    "the deletion of a version": (delete_version, lambda deployment: changed(deployment, days=0)),
    "a purge": (purge, lambda deployment: changed(deployment, days=0)),
    "an API key": (mint, lambda deployment: seed(deployment, days=0)),
    "an injection": (inject, lambda deployment: seed(deployment, days=0)),
    "a revocation": (revoke, lambda deployment: seed(deployment, days=0)),
}


class Run:
    """An attempt in a process of which every step is counted."""

    def __init__(self, deployment: Deployment, tenant: Tenant) -> None:
        self._deployment = deployment
        self.restarted = tenant.at(deployment.process())
        self.steps = Steps()
        provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
        provider.before_call = lambda: self.steps.take("provider")
        database = stepped(deployment.database, self.steps)
        services = deployment.process(keyring=Keyring([provider]), database=database)
        self.stepped = tenant.at(services)

    def attempt(self, operation: Operation) -> bool:
        """Return True if the operation succeeded."""
        try:
            operation(self.stepped)
        except (Killed, StorageUnavailable, KeyUnavailable):
            return False
        return True

    def end(self) -> tuple[dict[str, int], dict[str, str]]:
        """The number of rows, and all values."""
        counts = {table: len(found) for table, found in self.rows().items()}
        return counts, self.restarted.values()

    def rows(self) -> dict[str, list[Row]]:
        _, rows = self._deployment.snapshot()
        return {table: rows[table] for table in WRITTEN}


def kill(_: Steps) -> None:
    raise Killed


def fail(steps: Steps) -> None:
    if steps.names[-1] == "provider":
        raise KeyUnavailable("The provider is down.")
    raise StorageUnavailable


@pytest.mark.parametrize("interrupt", [kill, fail])
@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_write_has_happened_or_not_and_happens_once(
    deployment: Deployment, case: str, interrupt: Callable[[Steps], None]
) -> None:
    operation, prepare = CASES[case]
    tenant = prepare(deployment)
    prepared = deployment.snapshot()
    whole = Run(deployment, tenant)
    assert whole.attempt(operation)
    expected = whole.end()
    torn, ends = [], []
    for number, name in enumerate(whole.steps.names, start=1):
        if interrupt is kill and name not in LASTING:
            continue
        deployment.restore(prepared)
        run = Run(deployment, tenant)
        run.steps.at(number, partial(interrupt, run.steps))
        before, ended_well, after = run.rows(), run.attempt(operation), run.rows()
        operation(run.restarted)
        if after != run.rows() and (ended_well or after != before):
            torn.append((number, name))
        ends.append(run.end())
    assert torn == []
    assert ends == [expected] * len(ends)
