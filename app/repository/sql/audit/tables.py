"""The tables of the audit trail.

No foreign keys: the operator's account has no row, and records outlive what they are about.
"""

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, UniqueConstraint

from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.events import AuditEvent
from app.repository.sql.driver.table_parts import (
    at_most,
    blobs,
    columns,
    digest,
    mac,
    numbers,
    strings,
    table,
    tag,
)

# The number of events in each lane. No MAC: events and blocks prove it, and a worker remembers it.
audit_lanes = table(
    "audit_lanes",
    *strings("account_id"),
    *numbers("lane", "n"),
    PrimaryKeyConstraint("account_id", "lane"),
    at_most("account_id", 64),
    CheckConstraint("n >= 0", name="n"),
)

audit_events = table(
    "audit_events",
    *columns(AuditEvent),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    Index("uq_audit_events_lane", "account_id", "lane", "n", unique=True),
    at_most("account_id", 64),
    at_most("id", 64),
    CheckConstraint("n >= 1", name="n"),
    tag("mac"),
)

audit_blocks = table(
    "audit_blocks",
    *columns(AuditBlock),
    *mac(),
    PrimaryKeyConstraint("account_id", "number"),
    UniqueConstraint("leaf"),
    at_most("account_id", 64),
    digest("prev"),
    digest("root"),
    tag("mac"),
)

# Signed, and so without a MAC.
audit_heads = table(
    "audit_heads",
    *numbers("size"),
    *blobs("root", "edge"),
    *numbers("at_ms"),
    *strings("note"),
    PrimaryKeyConstraint("size"),
    digest("root"),
)

audit_cuts = table(
    "audit_cuts",
    *columns(AuditCut),
    *mac(),
    PrimaryKeyConstraint("leaf"),
    tag("mac"),
)

# Which block has records about a subject. It is an index, which nobody believes.
audit_subjects = table(
    "audit_subjects",
    *strings("account_id", "subject"),
    *numbers("number"),
    PrimaryKeyConstraint("account_id", "subject", "number"),
)
