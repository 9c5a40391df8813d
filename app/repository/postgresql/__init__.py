"""The parts of the repository for PostgreSQL alone: its addresses, sessions, pool and failures.

What a request does is written once, in ``app.repository.sql``. Here is what differs from SQLite:

- Many writers: units of work run at READ COMMITTED and lock rows, always in the order of
  ``app.repository.sql.driver.locks``. No transaction is repeated because of a race.
- A server that can vanish: every wait has a deadline of ours, connections are replaced by
  generation, and what was not acknowledged is reported as unavailable.
- A server that shares commits, keeps deleted rows until VACUUM, and makes its own backups.
"""
