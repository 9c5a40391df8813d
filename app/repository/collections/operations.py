"""The collections that an operator and the sweep work with: deployment, usage, leases, workers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from app.domain.guarded import Guarded
from app.domain.operations.reencryption import Reencryption
from app.domain.operations.usage import CountedTable, CountedUsage
from app.domain.operations.workers import SeenWorker, Worker
from app.repository.collections.batches import Position


class DeploymentRepository(ABC):
    """The one row that says which deployment this database belongs to."""

    @abstractmethod
    def get_id(self) -> str | None:
        """The deployment id, or ``None`` before ``strongroom init``."""

    @abstractmethod
    def add(self, deployment_id: str) -> None:
        """File the deployment id.

        Raises:
            Conflict: There is one already.
        """

    @abstractmethod
    def fence_generation(self) -> int:
        """How often fences were set or lifted; 0 before ``strongroom init``.

        In a unit of work it stays so until that ends: none sets or lifts one meanwhile.
        """

    @abstractmethod
    def get_reencryption(self) -> Guarded[Reencryption] | None:
        """The re-encryption that has not ended yet, or ``None``."""

    @abstractmethod
    def start_reencryption(self, job: Guarded[Reencryption]) -> None:
        """File a re-encryption in place of any other."""

    @abstractmethod
    def end_reencryption(self) -> None:
        """File that there is none under way."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a part of an account's rows of one table comes to.

    Attributes:
        rows: How many.
        bytes: The size of their large columns.
        after: What the next part begins after; ``None`` if no row follows.
    """

    rows: int
    bytes: int
    after: Position | None


class UsageRepository(ABC):
    """What accounts hold, as it was counted last."""

    @abstractmethod
    def get(self, account_id: str) -> CountedUsage | None:
        """What the account held when it was counted last, or ``None`` if it never was."""

    @abstractmethod
    def put(self, account_id: str, counted: CountedUsage) -> None:
        """File what an account holds, in place of the count before."""

    @abstractmethod
    def tally(
        self, account_id: str, table: CountedTable, after: Position | None, limit: int
    ) -> Tally:
        """Count at most ``limit`` rows of an account, from after a position."""


class LeaseRepository(ABC):
    """Work that one process at a time does."""

    @abstractmethod
    def take(self, name: str, holder: str, now_ms: int, until_ms: int) -> bool:
        """Hold the lease until ``until_ms`` unless another holder's lasts; whether it is held.

        No lease lasts longer than this one would, however a clock was set when it was taken.
        """

    @abstractmethod
    def give_up(self, name: str, holder: str) -> None:
        """Let another holder take the lease, if it is this holder's."""


class WorkerRepository(ABC):
    """The processes that serve, as they tell of themselves; times are the database's own."""

    @abstractmethod
    def beat(self, worker: Worker) -> None:
        """File what a worker tells of itself, seen now."""

    @abstractmethod
    def remove(self, worker_id: str) -> None:
        """Delete the row of a worker that ends."""

    @abstractmethod
    def remove_silent(self, longest_ms: int) -> None:
        """Delete the rows of workers that were not heard from for longer than this."""

    @abstractmethod
    def all(self) -> list[SeenWorker]:
        """Every row, by node. One that no worker can have written is passed over."""
