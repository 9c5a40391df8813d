"""Workers and their heartbeats in SQL. Times are the database's own: hosts may differ."""

import json

from sqlalchemy import bindparam, delete, func, insert, select, update

from app.domain.columns import Row
from app.domain.operations.workers import SeenWorker, Worker
from app.repository.collections.operations import WorkerRepository
from app.repository.sql.driver.dialect import now_ms
from app.repository.sql.driver.statements import Collection, Parameters
from app.repository.sql.tables import workers

_REPORTED = ("node", "key_refs", "opened_by", "fence_generation")
_BEAT = (
    update(workers)
    .where(workers.c.id == bindparam("of_id"))
    .values(seen_at_ms=now_ms(), **{name: bindparam(f"new_{name}") for name in _REPORTED})
)
_REGISTER = insert(workers).values(
    id=bindparam("of_id"),
    started_at_ms=now_ms(),
    seen_at_ms=now_ms(),
    **{name: bindparam(f"new_{name}") for name in _REPORTED},
)
_REMOVE = delete(workers).where(workers.c.id == bindparam("of_id"))
# One that was seen in the future ended before the clock was set back: a live one writes it again.
_REMOVE_SILENT = delete(workers).where(
    func.abs(now_ms() - workers.c.seen_at_ms) > bindparam("longest_ms")
)
_ALL = select(
    workers.c.id,
    *(workers.c[name] for name in _REPORTED),
    now_ms() - workers.c.seen_at_ms,
).order_by(workers.c.node, workers.c.id)
_TYPES = (str, str, str, str, int, int)


class SqlWorkers(Collection, WorkerRepository):
    """Workers."""

    def beat(self, worker: Worker) -> None:
        values = _values(worker)
        if not self._statements.write(_BEAT, values):
            self._statements.write(_REGISTER, values)

    def remove(self, worker_id: str) -> None:
        self._statements.write(_REMOVE, {"of_id": worker_id})

    def remove_silent(self, longest_ms: int) -> None:
        self._statements.write(_REMOVE_SILENT, {"longest_ms": longest_ms})

    def all(self) -> list[SeenWorker]:
        found = map(_parse, self._statements.all(_ALL, {}))
        return [worker for worker in found if worker is not None]


def _values(worker: Worker) -> Parameters:
    return {
        "of_id": worker.id,
        "new_node": worker.node,
        "new_key_refs": json.dumps(worker.key_refs),
        "new_opened_by": json.dumps(worker.opened_by),
        "new_fence_generation": worker.fence_generation,
    }


def _parse(row: Row) -> SeenWorker | None:
    if tuple(map(type, row)) != _TYPES:
        return None
    worker_id, node, key_refs, opened_by, generation, age_ms = row
    worker = Worker(
        id=worker_id,
        node=node,
        key_refs=_refs(key_refs),
        opened_by=_refs(opened_by),
        fence_generation=generation,
    )
    return SeenWorker(worker, age_ms / 1000)


def _refs(text: str) -> tuple[str, ...]:
    """Parse a list of key_refs; what is no such list has none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(each for each in found if isinstance(each, str))
