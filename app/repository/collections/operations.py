"""The collections that an operator and the sweep work with: deployment, usage, leases, workers."""

from dataclasses import dataclass
from typing import Protocol

from app.domain.guarded import Guarded
from app.domain.operations.moves import MoveState
from app.domain.operations.reencryption import Reencryption
from app.domain.operations.usage import CountedTable, CountedUsage
from app.domain.operations.workers import SeenWorker, Worker
from app.repository.collections.batches import Position


class DeploymentRepository(Protocol):
    """The one row that says which deployment this database belongs to."""

    def get_id(self) -> str | None:
        """Return the deployment id, or ``None`` before ``strongroom init``."""

    def add(self, deployment_id: str) -> None:
        """Store the deployment id.

        Raises:
            Conflict: There is one already.
        """

    def fence_generation(self) -> int:
        """Return how often fences were set or lifted; 0 before ``strongroom init``.

        In a unit of work no other one sets or lifts a fence until it ends.
        """

    def get_move(self) -> MoveState | None:
        """Return the part of this database in a move, ``None`` if it never had one.

        Raises:
            TamperedRow: It is no state that is known.
        """

    def get_reencryption(self) -> Guarded[Reencryption] | None:
        """Return the re-encryption that has not ended yet, or ``None``."""

    def start_reencryption(self, job: Guarded[Reencryption]) -> None:
        """Store a re-encryption in place of any other."""

    def end_reencryption(self) -> None:
        """Store that no re-encryption is under way."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum over a part of an account's rows of one table.

    Attributes:
        rows: Their number.
        bytes: The size of their large columns.
        after: The position before the next part; ``None`` if no row follows.
    """

    rows: int
    bytes: int
    after: Position | None


class UsageRepository(Protocol):
    """The usage of accounts, as the sweep counted it last."""

    def get(self, account_id: str) -> CountedUsage | None:
        """Return the last count of the account's rows, or ``None`` if there was none."""

    def put(self, account_id: str, counted: CountedUsage) -> None:
        """Store a count of the account's rows, in place of the one before."""

    def tally(
        self, account_id: str, table: CountedTable, after: Position | None, limit: int
    ) -> Tally:
        """Sum up to ``limit`` rows of an account, those after a position."""


class LeaseRepository(Protocol):
    """Work that one process at a time does."""

    def take(self, name: str, holder: str, now_ms: int, until_ms: int) -> bool:
        """Take the lease until ``until_ms`` unless another holder has it. Returns True if taken.

        No lease lasts longer than this one would, however a clock was set when it was taken.
        """

    def give_up(self, name: str, holder: str) -> None:
        """End the lease if this holder has it."""


class WorkerRepository(Protocol):
    """The heartbeats of the processes that serve; times are by the database's clock."""

    def beat(self, worker: Worker) -> None:
        """Store a worker's heartbeat, seen now."""

    def remove(self, worker_id: str) -> None:
        """Delete the row of a worker that ends."""

    def remove_silent(self, longest_ms: int) -> None:
        """Delete the rows of workers whose last heartbeat is older than this."""

    def all(self) -> list[SeenWorker]:
        """Return every row, by node. One that cannot be parsed is skipped."""
