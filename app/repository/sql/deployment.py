"""The deployment id in SQL."""

from sqlalchemy import bindparam, select, update

from app.domain.errors import TamperedRow
from app.repository.base import DeploymentRepository
from app.repository.sql.statements import InsertUnlessThere, Statements
from app.repository.sql.tables import deployment

_GET = select(deployment.c.id)
_GET_REENCRYPT_START = select(deployment.c.reencrypt_started_ms)
_SET_REENCRYPT_START = update(deployment).values(reencrypt_started_ms=bindparam("started_ms"))
_ADD = InsertUnlessThere(deployment).values(only=1, id=bindparam("id"))


class SqlDeployment(DeploymentRepository):
    """The deployment id."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get_id(self) -> str | None:
        """The deployment id, or ``None``."""
        row = self._statements.first(_GET, {})
        if row is None:
            return None
        if type(row.id) is not str:
            raise TamperedRow("deployment")
        return row.id

    def add(self, deployment_id: str) -> None:
        """File the deployment id."""
        self._statements.insert(_ADD, {"id": deployment_id})

    def get_reencrypt_start(self) -> int | None:
        """When the re-encryption that has not ended yet started."""
        row = self._statements.first(_GET_REENCRYPT_START, {})
        return row[0] if row is not None and type(row[0]) is int else None

    def set_reencrypt_start(self, started_ms: int | None) -> None:
        """File when a re-encryption started, or that it ended."""
        self._statements.run(_SET_REENCRYPT_START, {"started_ms": started_ms})
