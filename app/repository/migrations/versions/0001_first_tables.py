"""The tables of the first release."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

# Until the first release this migration is changed in place, under another revision each time; see
# ``ABANDONED`` in ``app.repository.sql.schema``.
revision = "0001_3"
down_revision = None
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTES = sa.LargeBinary()


def upgrade() -> None:
    """Make all tables."""
    _deployment()
    _accounts()
    _api_keys()
    _data_keys()
    _wrappings()
    _fences()
    _workers()
    _secrets()
    _stored_responses()
    _injections()
    _usage()
    _leases()


def _deployment() -> None:
    _table(
        "deployment",
        _column("only", sa.Integer()),
        _column("id", _STRING),
        _column("fence_generation", _NUMBER),
        _column("reencrypt_started_ms", _NUMBER, nullable=True),
        _column("reencrypt_mac_key_id", _STRING, nullable=True),
        _column("reencrypt_mac", _BYTES, nullable=True),
        sa.PrimaryKeyConstraint("only", name="pk_deployment"),
        sa.CheckConstraint("only IN (1)", name="ck_deployment_only"),
        sa.CheckConstraint('length("reencrypt_mac") = 33', name="ck_deployment_reencrypt_mac"),
    )


def _accounts() -> None:
    _table(
        "accounts",
        _column("id", _STRING),
        _column("name", _STRING),
        _column("devbox", sa.Integer()),
        _column("created_at_ms", _NUMBER),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_accounts_id"),
        sa.CheckConstraint("devbox IN (0, 1)", name="ck_accounts_devbox"),
        sa.CheckConstraint('length("mac") = 33', name="ck_accounts_mac"),
    )


def _api_keys() -> None:
    _table(
        "api_keys",
        _column("account_id", _STRING),
        _column("id", _STRING),
        _column("name", _STRING),
        _column("restricted", sa.Integer()),
        _column("scopes", _STRING),
        _column("token_digest", _BYTES),
        _column("created_at_ms", _NUMBER),
        _column("expires_at_ms", _NUMBER, nullable=True),
        _column("revoked_at_ms", _NUMBER, nullable=True),
        _column("issuers", _STRING),
        _column("names", _STRING, nullable=True),
        _column("rotated_at_ms", _NUMBER, nullable=True),
        _column("previous_digest", _BYTES, nullable=True),
        _column("previous_until_ms", _NUMBER, nullable=True),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_accounts"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_api_keys_id"),
        sa.CheckConstraint("restricted IN (0, 1)", name="ck_api_keys_restricted"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_api_keys_token_digest"),
        sa.CheckConstraint('length("previous_digest") = 32', name="ck_api_keys_previous_digest"),
        sa.CheckConstraint('length("mac") = 33', name="ck_api_keys_mac"),
    )


def _data_keys() -> None:
    _table(
        "data_keys",
        _column("account_id", _STRING),
        _column("id", _STRING),
        _column("state", _STRING),
        _column("check", _BYTES),
        _column("created_at_ms", _NUMBER),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_data_keys"),
        sa.CheckConstraint("length(account_id) BETWEEN 1 AND 64", name="ck_data_keys_account_id"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_data_keys_id"),
        sa.CheckConstraint("state IN ('active', 'decrypt_only')", name="ck_data_keys_state"),
        sa.CheckConstraint('length("check") = 32', name="ck_data_keys_check"),
        sa.CheckConstraint('length("mac") = 33', name="ck_data_keys_mac"),
    )
    op.create_index(
        "uq_data_keys_active",
        "data_keys",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )


def _wrappings() -> None:
    _table(
        "wrappings",
        _column("account_id", _STRING),
        _column("data_key_id", _STRING),
        _column("scheme", _STRING),
        _column("key_ref", _STRING),
        _column("blob", _BYTES),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        sa.PrimaryKeyConstraint("account_id", "data_key_id", "key_ref", name="pk_wrappings"),
        _of_data_key("fk_wrappings_data_keys"),
        sa.CheckConstraint('length("mac") = 33', name="ck_wrappings_mac"),
    )
    op.create_index("ix_wrappings_key_ref", "wrappings", ["key_ref"])


def _fences() -> None:
    _table(
        "fences",
        _column("key_ref", _STRING),
        sa.PrimaryKeyConstraint("key_ref", name="pk_fences"),
    )


def _workers() -> None:
    _table(
        "workers",
        _column("id", _STRING),
        _column("node", _STRING),
        _column("key_refs", _STRING),
        _column("opened_by", _STRING),
        _column("fence_generation", _NUMBER),
        _column("started_at_ms", _NUMBER),
        _column("seen_at_ms", _NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_workers_id"),
        sa.CheckConstraint("length(node) BETWEEN 1 AND 255", name="ck_workers_node"),
    )


def _secrets() -> None:
    _table(
        "secrets",
        _column("account_id", _STRING),
        _column("id", _STRING),
        _column("name", _STRING),
        _column("version", _NUMBER),
        _column("create_time_ms", _NUMBER),
        _column("update_time_ms", _NUMBER),
        _column("data_key_id", _STRING),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        _column("envelope", _BYTES),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_secrets"),
        sa.UniqueConstraint("account_id", "name", name="uq_secrets_account_id_name"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_secrets_accounts"),
        _of_data_key("fk_secrets_data_keys"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_secrets_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 255", name="ck_secrets_name"),
        sa.CheckConstraint("version >= 1", name="ck_secrets_version"),
        sa.CheckConstraint('length("mac") = 33', name="ck_secrets_mac"),
    )
    op.create_index("ix_secrets_data_key_id", "secrets", ["account_id", "data_key_id"])


def _stored_responses() -> None:
    _table(
        "stored_responses",
        _column("account_id", _STRING),
        _column("api_key_id", _STRING),
        _column("request_id", _STRING),
        _column("digest", _BYTES),
        _column("data_key_id", _STRING),
        _column("response", _BYTES),
        _column("expires_at_ms", _NUMBER),
        sa.PrimaryKeyConstraint(
            "account_id", "api_key_id", "request_id", name="pk_stored_responses"
        ),
        sa.CheckConstraint(
            "length(request_id) BETWEEN 1 AND 255", name="ck_stored_responses_request_id"
        ),
        sa.CheckConstraint('length("digest") = 32', name="ck_stored_responses_digest"),
    )
    op.create_index(
        "ix_stored_responses_expires_at_ms", "stored_responses", ["account_id", "expires_at_ms"]
    )


def _injections() -> None:
    _table(
        "injections",
        _column("account_id", _STRING),
        _column("id", _STRING),
        _column("api_key_id", _STRING),
        _column("secrets", _STRING),
        _column("token_digest", _BYTES),
        _column("state", _STRING),
        _column("created_at_ms", _NUMBER),
        _column("expires_at_ms", _NUMBER),
        _column("redeemed_at_ms", _NUMBER, nullable=True),
        _column("redeemed_from", _STRING, nullable=True),
        _column("nonce_digest", _BYTES, nullable=True),
        _column("mac_key_id", _STRING),
        _column("mac", _BYTES),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_injections"),
        sa.ForeignKeyConstraint(
            ["account_id", "api_key_id"],
            ["api_keys.account_id", "api_keys.id"],
            name="fk_injections_api_keys",
        ),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_injections_id"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_injections_token_digest"),
        sa.CheckConstraint(
            "state IN ('pending', 'redeemed', 'revoked')", name="ck_injections_state"
        ),
        sa.CheckConstraint('length("nonce_digest") = 32', name="ck_injections_nonce_digest"),
        sa.CheckConstraint('length("mac") = 33', name="ck_injections_mac"),
    )
    op.create_index("ix_injections_api_key_id", "injections", ["account_id", "api_key_id", "id"])
    op.create_index("ix_injections_expires_at_ms", "injections", ["account_id", "expires_at_ms"])


def _usage() -> None:
    _table(
        "usage",
        _column("account_id", _STRING),
        _column("secrets", _NUMBER),
        _column("injections", _NUMBER),
        _column("api_keys", _NUMBER),
        _column("bytes", _NUMBER),
        _column("counted_at_ms", _NUMBER),
        sa.PrimaryKeyConstraint("account_id", name="pk_usage"),
    )


def _leases() -> None:
    _table(
        "leases",
        _column("name", _STRING),
        _column("holder", _STRING),
        _column("until_ms", _NUMBER),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _column(name: str, kind: TypeEngine[Any], *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _of_data_key(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"], name=name
    )
