"""The tables of the agent gateway: configs, tokens, uses, and the keys of gateways."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

revision = "0002.0001_5"
down_revision = "0001_5"
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTES = sa.LargeBinary()


def upgrade() -> None:
    """Make the tables. Code that does not know them is not in their way."""
    _gateway_configs()
    _gateway_tokens()
    _gateway_uses()
    _gateway_keys()
    _switches()


def _gateway_configs() -> None:
    _table(
        "gateway_configs",
        *_strings("account_id", "id", "name"),
        *_strings("description", nullable=True),
        *_strings("endpoint", "auth_type"),
        *_strings("auth_key", nullable=True),
        *_strings("custom_headers"),
        *_strings("allow", "deny", "secrets", nullable=True),
        *_strings("deny_query"),
        sa.Column("scrub", sa.Integer(), nullable=False),
        *_numbers("version", "created_at_ms", "updated_at_ms"),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_gateway_configs"),
        sa.UniqueConstraint("account_id", "name", name="uq_gateway_configs_account_id_name"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_gateway_configs_accounts"
        ),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_gateway_configs_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name="ck_gateway_configs_name"),
        sa.CheckConstraint(
            "\"auth_type\" IN ('bearer', 'basic', 'header')", name="ck_gateway_configs_auth_type"
        ),
        sa.CheckConstraint('"scrub" IN (0, 1)', name="ck_gateway_configs_scrub"),
        sa.CheckConstraint('length("mac") = 33', name="ck_gateway_configs_mac"),
    )


def _gateway_tokens() -> None:
    _table(
        "gateway_tokens",
        *_strings("account_id", "id", "api_key_id"),
        *_strings("injection_id", nullable=True),
        *_strings("config_id"),
        *_blobs("config_pin"),
        *_strings("secret_id", "secret_name", "devbox_id"),
        *_blobs("token_digest"),
        *_strings("allow", nullable=True),
        *_numbers("requests_per_minute", "in_flight", "requests", nullable=True),
        *_strings("sources", "pin"),
        *_strings("pinned_address", nullable=True),
        *_strings("state"),
        *_numbers("used", "created_at_ms", "expires_at_ms"),
        *_numbers("revoked_at_ms", nullable=True),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_gateway_tokens"),
        sa.ForeignKeyConstraint(
            ["account_id", "api_key_id"],
            ["api_keys.account_id", "api_keys.id"],
            name="fk_gateway_tokens_api_keys",
        ),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_gateway_tokens_id"),
        sa.CheckConstraint('length("config_pin") = 32', name="ck_gateway_tokens_config_pin"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_gateway_tokens_token_digest"),
        sa.CheckConstraint("\"pin\" IN ('none', 'first_use')", name="ck_gateway_tokens_pin"),
        sa.CheckConstraint("\"state\" IN ('live', 'revoked')", name="ck_gateway_tokens_state"),
        sa.CheckConstraint('length("mac") = 33', name="ck_gateway_tokens_mac"),
    )
    for name, *columns in (
        ("api_key_id", "account_id", "api_key_id", "state", "expires_at_ms"),
        ("devbox_id", "account_id", "devbox_id", "id"),
        ("expires_at_ms", "account_id", "expires_at_ms"),
    ):
        op.create_index(f"ix_gateway_tokens_{name}", "gateway_tokens", columns)


def _gateway_uses() -> None:
    _table(
        "gateway_uses",
        *_strings("account_id", "id", "token_id", "config_id", "secret_id", "method", "path"),
        *_strings("address", nullable=True),
        *_numbers("created_at_ms"),
        *_numbers(
            *("status", "bytes_in", "bytes_out", "milliseconds", "scrub_hits"), nullable=True
        ),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_gateway_uses"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_gateway_uses_accounts"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_gateway_uses_id"),
        sa.CheckConstraint('length("mac") = 33', name="ck_gateway_uses_mac"),
    )
    op.create_index("ix_gateway_uses_token_id", "gateway_uses", ["account_id", "token_id", "id"])
    op.create_index(
        "ix_gateway_uses_created_at_ms", "gateway_uses", ["account_id", "created_at_ms"]
    )


def _gateway_keys() -> None:
    _table(
        "gateway_keys",
        *_strings("id", "name"),
        *_blobs("token_digest"),
        *_numbers("created_at_ms"),
        *_numbers("revoked_at_ms", nullable=True),
        *_mac(),
        sa.PrimaryKeyConstraint("id", name="pk_gateway_keys"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_gateway_keys_id"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_gateway_keys_token_digest"),
        sa.CheckConstraint('length("mac") = 33', name="ck_gateway_keys_mac"),
    )


def _switches() -> None:
    _table(
        "switches",
        *_strings("name"),
        *_numbers("off_since_ms"),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name="ck_switches_name"),
    )


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _columns(kind: TypeEngine[Any], *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


_strings, _numbers, _blobs = (partial(_columns, kind) for kind in (_STRING, _NUMBER, _BYTES))


def _mac() -> list[sa.Column[Any]]:
    return [*_strings("mac_key_id"), *_blobs("mac")]
