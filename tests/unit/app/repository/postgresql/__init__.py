"""The parts of the repository for PostgreSQL alone."""
