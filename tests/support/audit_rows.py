"""One row in each table of the audit trail, planted: nothing here writes them yet."""

from sqlalchemy import Connection, insert

from app.repository.sql.audit import tables

_MAC = {"mac_key_id": "dk_system", "mac": b"\x01" + b"m" * 32}


def plant_audit_rows(connection: Connection, account_id: str) -> None:
    """Insert the rows. The caller commits."""
    event = {
        "account_id": account_id,
        "id": "aud_0001",
        "lane": 7,
        "n": 1,
        "at_ms": 1,
        "actor": "key_1",
    }
    event |= {"issuers": "", "action": "secret.created", "outcome": "done", "subjects": "sec_1@1"}
    block = {
        "account_id": account_id,
        "number": 1,
        "leaf": 0,
        "prev": bytes(32),
        "positions": "[[7,1,1]]",
    }
    block |= {"missing": "[]", "count": 1, "root": bytes(32), "sealed_at_ms": 2}
    for table, row in (
        (tables.audit_lanes, {"account_id": account_id, "lane": 7, "n": 1}),
        (tables.audit_events, event | _MAC),
        (tables.audit_blocks, block | _MAC),
        (
            tables.audit_heads,
            {"size": 1, "root": bytes(32), "edge": b"", "at_ms": 2, "note": "a note"},
        ),
        (tables.audit_cuts, {"leaf": 0, "edge": b"", "at_ms": 3} | _MAC),
        (tables.audit_subjects, {"account_id": account_id, "subject": "sec_1", "number": 1}),
    ):
        connection.execute(insert(table), row)
