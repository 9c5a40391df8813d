"""The port to the database, implemented with SQLAlchemy Core."""

from app.repository.sql.address import connect as connect
