"""Makes a database into a deployment: schema, deployment id, system data key."""

from pathlib import Path

from app.domain.errors import Moved, MoveRefused
from app.domain.operations.moves import MoveState
from app.repository.base import Database
from app.services.keys.system_key import SystemKey


class Setup:
    """Prepares the database, for ``strongroom init`` and ``strongroom db upgrade``."""

    def __init__(self, database: Database, system_key: SystemKey) -> None:
        self._database = database
        self._system_key = system_key

    def upgrade(self) -> Path | None:
        """Bring the schema to the newest migration. Returns the backup that was made before."""
        return self._database.upgrade()

    def initialise(self) -> str | None:
        """Bring the schema up, and make the deployment and its system data key where none is.

        Returns:
            The fingerprint of the system data key if it was made, for an operator to note.

        Raises:
            Moved: The deployment was moved from this database to another one.
            MoveRefused: One is being moved to this database.
            KeyProviderError: The system data key could not be made or opened.
        """
        self._database.upgrade()
        self._refuse_a_move()
        is_new = self._system_key.create()
        return self._system_key.opened().fingerprint.text if is_new else None

    def _refuse_a_move(self) -> None:
        with self._database.reading() as repository:
            move = repository.deployment.get_move()
        if move is not None and move.is_closed:
            raise Moved
        if move is MoveState.RECEIVING:
            raise MoveRefused("This database is an unfinished copy; run again: strongroom db copy")
