"""The deployment id in SQL."""

from sqlalchemy import bindparam, select

from app.domain.errors import TamperedRow
from app.repository.base import DeploymentRepository
from app.repository.sql.statements import InsertUnlessThere, Statements
from app.repository.sql.tables import deployment

_GET = select(deployment.c.id)
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
