"""The tables of the first release."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

revision = "0001_5"
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
    _moves()


def _deployment() -> None:
    _table(
        "deployment",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        *_strings("id"),
        *_numbers("fence_generation"),
        *_numbers("reencrypt_started_ms", nullable=True),
        *_strings("reencrypt_mac_key_id", nullable=True),
        *_blobs("reencrypt_mac", nullable=True),
        sa.PrimaryKeyConstraint("only", name="pk_deployment"),
        sa.CheckConstraint('"only" IN (1)', name="ck_deployment_only"),
        sa.CheckConstraint('length("reencrypt_mac") = 33', name="ck_deployment_reencrypt_mac"),
    )


def _accounts() -> None:
    _table(
        "accounts",
        *_strings("id", "name"),
        sa.Column("devbox", sa.Integer(), nullable=False),
        *_numbers("created_at_ms"),
        *_mac(),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_accounts_id"),
        sa.CheckConstraint('"devbox" IN (0, 1)', name="ck_accounts_devbox"),
        sa.CheckConstraint('length("mac") = 33', name="ck_accounts_mac"),
    )


def _api_keys() -> None:
    _table(
        "api_keys",
        *_strings("account_id", "id", "name"),
        sa.Column("restricted", sa.Integer(), nullable=False),
        *_strings("scopes"),
        *_blobs("token_digest"),
        *_numbers("created_at_ms"),
        *_numbers("expires_at_ms", "revoked_at_ms", nullable=True),
        *_strings("issuers"),
        *_strings("names", nullable=True),
        *_numbers("rotated_at_ms", nullable=True),
        *_blobs("previous_digest", nullable=True),
        *_numbers("previous_until_ms", nullable=True),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_accounts"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_api_keys_id"),
        sa.CheckConstraint('"restricted" IN (0, 1)', name="ck_api_keys_restricted"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_api_keys_token_digest"),
        sa.CheckConstraint('length("previous_digest") = 32', name="ck_api_keys_previous_digest"),
        sa.CheckConstraint('length("mac") = 33', name="ck_api_keys_mac"),
    )


def _data_keys() -> None:
    _table(
        "data_keys",
        *_strings("account_id", "id", "state"),
        *_blobs("check"),
        *_numbers("created_at_ms"),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_data_keys"),
        sa.CheckConstraint("length(account_id) BETWEEN 1 AND 64", name="ck_data_keys_account_id"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_data_keys_id"),
        sa.CheckConstraint("\"state\" IN ('active', 'decrypt_only')", name="ck_data_keys_state"),
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
        *_strings("account_id", "data_key_id", "scheme", "key_ref"),
        *_blobs("blob"),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "data_key_id", "key_ref", name="pk_wrappings"),
        _of_data_key("fk_wrappings_data_keys"),
        sa.CheckConstraint('length("mac") = 33', name="ck_wrappings_mac"),
    )
    op.create_index("ix_wrappings_key_ref", "wrappings", ["key_ref"])


def _fences() -> None:
    _table(
        "fences",
        *_strings("key_ref"),
        sa.PrimaryKeyConstraint("key_ref", name="pk_fences"),
    )


def _workers() -> None:
    _table(
        "workers",
        *_strings("id", "node", "key_refs", "opened_by"),
        *_numbers("fence_generation", "started_at_ms", "seen_at_ms"),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_workers_id"),
        sa.CheckConstraint("length(node) BETWEEN 1 AND 255", name="ck_workers_node"),
    )


def _secrets() -> None:
    _table(
        "secrets",
        *_strings("account_id", "id", "name"),
        *_numbers("version", "create_time_ms", "update_time_ms"),
        *_strings("data_key_id"),
        *_mac(),
        *_blobs("envelope"),
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
        *_strings("account_id", "api_key_id", "request_id"),
        *_blobs("digest"),
        *_strings("data_key_id"),
        *_blobs("response"),
        *_numbers("expires_at_ms"),
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
        *_strings("account_id", "id", "api_key_id", "secrets"),
        *_blobs("token_digest"),
        *_strings("state"),
        *_numbers("created_at_ms", "expires_at_ms"),
        *_numbers("redeemed_at_ms", nullable=True),
        *_strings("redeemed_from", nullable=True),
        *_blobs("nonce_digest", nullable=True),
        *_mac(),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_injections"),
        sa.ForeignKeyConstraint(
            ["account_id", "api_key_id"],
            ["api_keys.account_id", "api_keys.id"],
            name="fk_injections_api_keys",
        ),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_injections_id"),
        sa.CheckConstraint('length("token_digest") = 32', name="ck_injections_token_digest"),
        sa.CheckConstraint(
            "\"state\" IN ('pending', 'redeemed', 'revoked')", name="ck_injections_state"
        ),
        sa.CheckConstraint('length("nonce_digest") = 32', name="ck_injections_nonce_digest"),
        sa.CheckConstraint('length("mac") = 33', name="ck_injections_mac"),
    )
    op.create_index("ix_injections_api_key_id", "injections", ["account_id", "api_key_id", "id"])
    op.create_index("ix_injections_expires_at_ms", "injections", ["account_id", "expires_at_ms"])


def _usage() -> None:
    _table(
        "usage",
        *_strings("account_id"),
        *_numbers("secrets", "injections", "api_keys", "bytes", "counted_at_ms"),
        sa.PrimaryKeyConstraint("account_id", name="pk_usage"),
    )


def _leases() -> None:
    _table(
        "leases",
        *_strings("name", "holder"),
        *_numbers("until_ms"),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _moves() -> None:
    _table(
        "moves",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        *_strings("id", "deployment_id", "state", "position"),
        sa.PrimaryKeyConstraint("only", name="pk_moves"),
        sa.CheckConstraint('"only" IN (1)', name="ck_moves_only"),
        sa.CheckConstraint(
            "\"state\" IN ('closed', 'receiving', 'received', 'given_up')", name="ck_moves_state"
        ),
    )


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _columns(kind: TypeEngine[Any], *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


_strings, _numbers, _blobs = (partial(_columns, kind) for kind in (_STRING, _NUMBER, _BYTES))


def _mac() -> list[sa.Column[Any]]:
    return [*_strings("mac_key_id"), *_blobs("mac")]


def _of_data_key(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"], name=name
    )
