"""One operation that meets one fault, once during it and once more when it is over."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.faults.fault import Failure, Fault
from tests.faults.operations import AT_START, BESIDE, OPERATIONS, Answer, Attempt, Operation
from tests.faults.providers import BACKENDS
from tests.faults.scene import ALONE, DESTINATION, ESCROW, Scene
from tests.faults.watching import hearing
from tests.support.deployment import Snapshot
from tests.unit.app.services.leaks import Watch


@dataclass(frozen=True)
class Cell:
    """A provider in its role, a fault of its, and an operation, by their names."""

    scheme: str
    fault_name: str
    operation_name: str
    role: str = ALONE

    def __str__(self) -> str:
        role = "" if self.role == ALONE else f"-{self.role}"
        return f"{self.scheme}{role}-{self.fault_name}-{self.operation_name}"

    @cached_property
    def fault(self) -> Fault:
        found = BACKENDS[self.scheme].faults[self.fault_name]
        assert isinstance(found, Fault)
        return found

    @cached_property
    def operation(self) -> Operation:
        if self.role != ALONE:
            return BESIDE[self.operation_name]
        return operations(self.fault)[self.operation_name]

    @property
    def failure(self) -> Failure:
        """The expected outcome."""
        needs = {"making": self.fault.making, "starting": self.fault.starting}
        return needs.get(self.operation.needs) or self.fault.opening


def operations(fault: Fault) -> Mapping[str, Operation]:
    """Those that meet the fault."""
    if not fault.at_start:
        return OPERATIONS
    return {name: each for name, each in AT_START.items() if each.needs == "starting"}


def cells() -> Iterator[Cell]:
    """Each provider's faults, each met by every operation."""
    for scheme, backend in BACKENDS.items():
        for name, fault in backend.faults.items():
            if isinstance(fault, Fault):
                yield from (Cell(scheme, name, operation) for operation in operations(fault))


def cells_beside() -> Iterator[Cell]:
    """The same for providers that are asked over a network, beside one that does not fail."""
    for scheme in ("aws-kms", "vault-transit"):
        for name, fault in BACKENDS[scheme].faults.items():
            if isinstance(fault, Fault):
                for role in (DESTINATION, ESCROW):
                    yield from (Cell(scheme, name, operation, role) for operation in BESIDE)


@dataclass(frozen=True)
class Outcome:
    """All that a trial gave.

    Attributes:
        answer: During the fault.
        seconds: How long that took.
        before: The whole database before.
        after: The whole database afterwards.
        log: All that could be logged meanwhile, at DEBUG.
        tracebacks: All that tracebacks show of what providers raised.
        again: The answer to the same request when the fault was over; ``None`` for no request.
        watch: Knows what nobody may see.
    """

    cell: Cell
    answer: Answer
    seconds: float
    before: Snapshot
    after: Snapshot
    log: str
    tracebacks: str
    again: Answer | None
    watch: Watch


def outcome_of(cell: Cell, scene: Scene) -> Outcome:
    """Try it, and leave the scene as it was."""
    backend = scene.backend
    scene.providers.begin()
    try:
        attempt = cell.operation.prepare(scene)
        before = scene.rows()
        with cell.fault.during(backend), hearing(backend.libraries) as heard:
            started = time.monotonic()
            answer = attempt()
            seconds = time.monotonic() - started
        after, tracebacks = scene.rows(), scene.providers.tracebacks()
        again = _once_more(cell, scene, attempt) if cell.operation.is_http else None
    finally:
        scene.restore()
    return Outcome(
        cell, answer, seconds, before, after, heard.text(), tracebacks, again, scene.watch()
    )


def _once_more(cell: Cell, scene: Scene, attempt: Attempt) -> Answer:
    return cell.operation.prepare(scene)() if cell.fault.restart else attempt()
