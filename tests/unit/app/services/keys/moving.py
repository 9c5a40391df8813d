"""Moving between two key files: who lists which, and where every data key stands."""

from dataclasses import dataclass

from app.services.container import Services
from app.services.rotation.progress import Progress
from backends.keyring.keyring import Keyring
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Steps, stepped

VALUES = {"OLD": "an old value", "NEW": "a newer value"}


@dataclass(frozen=True)
class Move:
    """A deployment that moves from the key file ``a`` to ``b``; both are URIs."""

    deployment: Deployment
    a: str
    b: str

    def process(self, *uris: str, escrow: str = "") -> Services:
        """A new process that lists these, in this order."""
        return self.deployment.process(
            STRONGROOM_KEYS=" ".join(uris), STRONGROOM_ESCROW_KEYS=escrow
        )

    def refs(self, tenant: Tenant | None = None) -> list[set[str]]:
        """By which files each data key is wrapped, of one tenant or of all, the system's first."""
        names: dict[object, str] = {key_ref(self.a): "a", key_ref(self.b): "b"}
        where = {} if tenant is None else {"account_id": tenant.caller.account_id}
        with self.deployment.rows() as rows:
            return [
                {
                    names.get(each["key_ref"], str(each["scheme"]))
                    for each in rows.all("wrappings", data_key_id=key["id"])
                }
                for key in rows.all("data_keys", **where)
            ]


def ignore(_: Progress) -> None:
    """A report that ignores progress."""


def key_ref(uri: str) -> str:
    """The key_ref of wrappings by the first key of a file."""
    return Scripted(uri).key_ref


def seeded(services: Services, deployment: Deployment) -> Tenant:
    """A tenant whose ``VALUES`` are sealed under two data keys, one of them retired."""
    tenant = new_tenant(services)
    tenant.create("OLD", VALUES["OLD"])
    deployment.clock.advance(days=31)
    tenant.create("NEW", VALUES["NEW"])
    return tenant


def counting(move: Move, *uris: str) -> tuple[Services, Steps]:
    """A process and its steps; a provider call takes a second.

    Args:
        uris: What it lists, ``b`` before ``a`` if not told.
    """
    steps = Steps()

    def call() -> None:
        move.deployment.clock.advance(seconds=1)
        steps.take("provider")

    providers = [Scripted(uri) for uri in uris or (move.b, move.a)]
    for provider in providers:
        provider.before_call = call
    database = stepped(move.deployment.database, steps)
    return move.deployment.process(keyring=Keyring(providers), database=database), steps
