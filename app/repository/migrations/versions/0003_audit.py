"""The tables of the audit trail: lanes, events, blocks, heads, cuts, and the index of subjects."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

revision = "0003.0002.0001_5"
down_revision = "0002.0001_5"
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTES = sa.LargeBinary()


def upgrade() -> None:
    """Make the tables. Code that does not know them is not in their way."""
    _audit_lanes()
    _audit_events()
    _audit_blocks()
    _audit_heads()
    _audit_cuts()
    _audit_subjects()


def _audit_lanes() -> None:
    _table(
        "audit_lanes",
        *_strings("account_id"),
        *_numbers("lane", "n"),
        sa.PrimaryKeyConstraint("account_id", "lane", name="pk_audit_lanes"),
        _account_id("audit_lanes"),
        sa.CheckConstraint("n >= 0", name="ck_audit_lanes_n"),
    )


def _audit_events() -> None:
    _table(
        "audit_events",
        *_strings("account_id", "id"),
        *_numbers("lane", "n", "at_ms"),
        *_strings("actor", "issuers", "action", "outcome", "subjects"),
        *_strings("details", "address", "request_id", nullable=True),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_audit_events"),
        _account_id("audit_events"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_audit_events_id"),
        sa.CheckConstraint("n >= 1", name="ck_audit_events_n"),
        sa.CheckConstraint('length("mac") = 33', name="ck_audit_events_mac"),
    )
    op.create_index(
        "uq_audit_events_lane", "audit_events", ["account_id", "lane", "n"], unique=True
    )


def _audit_blocks() -> None:
    _table(
        "audit_blocks",
        *_strings("account_id"),
        *_numbers("number", "leaf"),
        *_blobs("prev"),
        *_strings("positions", "missing"),
        *_numbers("count"),
        *_blobs("root"),
        *_numbers("first_ms", "last_ms", nullable=True),
        *_numbers("sealed_at_ms"),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_audit_blocks"),
        sa.UniqueConstraint("leaf", name="uq_audit_blocks_leaf"),
        _account_id("audit_blocks"),
        sa.CheckConstraint('length("prev") = 32', name="ck_audit_blocks_prev"),
        sa.CheckConstraint('length("root") = 32', name="ck_audit_blocks_root"),
        sa.CheckConstraint('length("mac") = 33', name="ck_audit_blocks_mac"),
    )


def _audit_heads() -> None:
    _table(
        "audit_heads",
        *_numbers("size"),
        *_blobs("root", "edge"),
        *_numbers("at_ms"),
        *_strings("note"),
        sa.PrimaryKeyConstraint("size", name="pk_audit_heads"),
        sa.CheckConstraint('length("root") = 32', name="ck_audit_heads_root"),
    )


def _audit_cuts() -> None:
    _table(
        "audit_cuts",
        *_numbers("leaf"),
        *_blobs("edge"),
        *_numbers("at_ms"),
        *_mac(),
        sa.PrimaryKeyConstraint("leaf", name="pk_audit_cuts"),
        sa.CheckConstraint('length("mac") = 33', name="ck_audit_cuts_mac"),
    )


def _audit_subjects() -> None:
    _table(
        "audit_subjects",
        *_strings("account_id", "subject"),
        *_numbers("number"),
        sa.PrimaryKeyConstraint("account_id", "subject", "number", name="pk_audit_subjects"),
    )


def _account_id(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("length(account_id) BETWEEN 1 AND 64", name=f"ck_{table}_account_id")


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _columns(kind: TypeEngine[Any], *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable, autoincrement=False) for name in names]


_strings, _numbers, _blobs = (partial(_columns, kind) for kind in (_STRING, _NUMBER, _BYTES))


def _mac() -> list[sa.Column[Any]]:
    return [*_strings("mac_key_id"), *_blobs("mac")]
