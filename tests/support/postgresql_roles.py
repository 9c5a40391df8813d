"""The roles of the shipped file, in the databases of tests."""

from pathlib import Path

from tests.support.postgresql import PostgresqlServer

OWNER, OPERATOR, SERVER = "strongroom_owner", "strongroom_operator", "strongroom_server"

_FILE = Path(__file__).parents[2] / "config" / "postgresql-roles.sql"


def make_roles(server: PostgresqlServer, database: str, user: str = "postgres") -> None:
    """Run the file in the database, as its superuser unless another user is named."""
    server.execute(_FILE.read_text(), database=database, user=user)


def find_schema_everywhere(server: PostgresqlServer) -> None:
    """Let the roles find the schema in copies of a database, too, which lack its settings."""
    for role in (OWNER, OPERATOR, SERVER):
        server.execute(f"ALTER ROLE {role} SET search_path = strongroom")
