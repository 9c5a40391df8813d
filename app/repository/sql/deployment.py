"""The row of the deployment in SQL."""

from sqlalchemy import bindparam, select, update

from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded, Mac
from app.domain.operations.moves import MoveState
from app.domain.operations.reencryption import Reencryption
from app.repository.collections.operations import DeploymentRepository
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.tables import deployment, moves

_GET = select(deployment.c.id)
_FENCE_GENERATION = select(deployment.c.fence_generation)
_GET_MOVE = select(moves.c.state)
_REENCRYPTION = (
    deployment.c.reencrypt_started_ms,
    deployment.c.reencrypt_mac_key_id,
    deployment.c.reencrypt_mac,
)
_GET_REENCRYPTION = select(*_REENCRYPTION)
_SET_REENCRYPTION = update(deployment).values(
    {column: bindparam(f"new_{column.name}") for column in _REENCRYPTION}
)
_ADD = InsertUnlessThere(deployment).values(only=1, id=bindparam("id"), fence_generation=0)


class SqlDeployment(Collection, DeploymentRepository):
    """The row of the deployment."""

    def get_id(self) -> str | None:
        row = self._statements.first(_GET, {})
        return None if row is None else of_types("deployment", row, (str,))[0]

    def add(self, deployment_id: str) -> None:
        self._statements.insert(_ADD, {"id": deployment_id})

    def fence_generation(self) -> int:
        row = self._statements.first(self._statements.lockable(_FENCE_GENERATION), {})
        return 0 if row is None else of_types("deployment", row, (int,))[0]

    def get_move(self) -> MoveState | None:
        row = self._statements.first(_GET_MOVE, {})
        if row is None:
            return None
        (state,) = of_types("moves", row, (str,))
        if state not in {*MoveState}:
            raise TamperedRow("moves")
        return MoveState(state)

    def get_reencryption(self) -> Guarded[Reencryption] | None:
        row = self._statements.first(_GET_REENCRYPTION, {})
        if row is None or row[0] is None:
            return None
        started_ms, *mac = of_types(Reencryption.table, row, (int, str, bytes))
        return Guarded(Reencryption(started_ms), Mac(*mac))

    def start_reencryption(self, job: Guarded[Reencryption]) -> None:
        self._set_reencryption(job.unverified.started_ms, job.mac.key_id, job.mac.tag)

    def end_reencryption(self) -> None:
        self._set_reencryption(None, None, None)

    def _set_reencryption(self, *values: int | str | bytes | None) -> None:
        names = [f"new_{column.name}" for column in _REENCRYPTION]
        self._statements.write(_SET_REENCRYPTION, dict(zip(names, values, strict=True)))
