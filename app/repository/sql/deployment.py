"""The deployment id in SQL."""

from sqlalchemy import bindparam, select, update

from app.repository.base import DeploymentRepository
from app.repository.sql import fields
from app.repository.sql.fields import Row
from app.repository.sql.prepared import InsertUnlessThere
from app.repository.sql.statements import Statements
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
        return None if row is None else _parse_id(row)

    def add(self, deployment_id: str) -> None:
        """File the deployment id."""
        self._statements.insert(_ADD, {"id": deployment_id})

    def get_reencrypt_start(self) -> int | None:
        """When the re-encryption that has not ended yet started."""
        row = self._statements.first(_GET_REENCRYPT_START, {})
        return None if row is None else _parse_start(row)

    def set_reencrypt_start(self, started_ms: int | None) -> None:
        """File when a re-encryption started, or that it ended."""
        self._statements.write(_SET_REENCRYPT_START, {"started_ms": started_ms})


@fields.parses("deployment")
def _parse_id(row: Row) -> str:
    return fields.text(row[0])


@fields.parses("deployment")
def _parse_start(row: Row) -> int | None:
    return fields.number_or_none(row[0])
