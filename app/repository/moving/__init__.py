"""Moves a deployment from one database to another, between SQLite and PostgreSQL.

The values of rows are copied as they stand and never opened: no root key is needed. Row MACs cover
the deployment's id and the system data key, and both travel with the rows.

1. The target notes the id of the move, in the table ``moves``. It has no row in ``deployment``, so
   no server serves from it.
2. The source is closed, in one transaction: it notes the same id, and triggers refuse every write
   to its rows. Whatever was committed before is copied; nothing is committed afterwards.
3. Rows are copied in batches, in the order of foreign keys. The target notes its position with
   each, so a copy that was killed goes on there.
4. Both databases are compared, row by row.
5. The target is opened: it gets the row in ``deployment``.

A source is opened again only if the target notes, in one transaction, that it never will be, or if
nothing was written there. So a token that works once never works in both.
"""
