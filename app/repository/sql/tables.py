"""The tables: only ciphertext, keyed hashes and metadata.

Every key starts with the account id. Constraints decide races, and check what an honest server
writes. They are no defence against a writer of the database; MACs and envelopes are. The columns
of a row type follow from it (``app.domain.columns``). The migrations make exactly these tables,
which a test compares.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.columns import columns_of
from app.domain.data_keys import DataKeyRow, Wrapping
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.keys import GatewayKey
from app.domain.gateways.tokens import GatewayToken
from app.domain.gateways.uses import GatewayUse
from app.domain.idempotency import StoredResponse
from app.domain.injections import Injection

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


# Only types that a driver passes through unchanged: statements run on the driver itself.
Bytes = LargeBinary()
# Sorted bytewise everywhere, as ids are made to be.
String = Text().with_variant(Text(collation="C"), "postgresql")
# STRICT tables of SQLite have no other name for 64 bits.
Number = BigInteger().with_variant(Integer(), "sqlite")


_TYPES: Mapping[type, TypeEngine[Any]] = {
    str: String,
    int: Number,
    bytes: Bytes,
    bool: Integer(),
}


def _table(name: str, *parts: SchemaItem) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


def _named(kind: TypeEngine[Any], *names: str, nullable: bool = False) -> list[Column[Any]]:
    return [Column(name, kind, nullable=nullable) for name in names]


_strings, _numbers, _blobs = (partial(_named, kind) for kind in (String, Number, Bytes))


def _columns(row_type: type) -> list[Column[Any]]:
    return [
        Column(each.name, _TYPES[each.codec.kind], nullable=each.is_nullable)
        for each in columns_of(row_type).all
    ]


def _mac() -> list[Column[Any]]:
    return [*_strings("mac_key_id"), *_blobs("mac")]


def _at_most(column: str, length: int) -> CheckConstraint:
    return CheckConstraint(f"length({column}) BETWEEN 1 AND {length}", name=column)


def _digest(column: str) -> CheckConstraint:
    return CheckConstraint(f'length("{column}") = 32', name=column)


def _tag(column: str) -> CheckConstraint:
    """A layout number and a MAC (``app.domain.guarded.Mac``)."""
    return CheckConstraint(f'length("{column}") = 33', name=column)


def _one_of(column: str, *words: str) -> CheckConstraint:
    return CheckConstraint(f'"{column}" IN ({", ".join(words)})', name=column)


deployment = _table(
    "deployment",
    Column("only", Integer(), autoincrement=False, nullable=False),
    *_strings("id"),
    *_numbers("fence_generation"),
    *_numbers("reencrypt_started_ms", nullable=True),
    *_strings("reencrypt_mac_key_id", nullable=True),
    *_blobs("reencrypt_mac", nullable=True),
    PrimaryKeyConstraint("only"),
    _one_of("only", "1"),
    _tag("reencrypt_mac"),
)

accounts = _table(
    "accounts",
    *_columns(Account),
    *_mac(),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    _at_most("id", 64),
    _one_of("devbox", "0", "1"),
    _tag("mac"),
)

api_keys = _table(
    "api_keys",
    *_columns(ApiKey),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _at_most("id", 64),
    _one_of("restricted", "0", "1"),
    _digest("token_digest"),
    _digest("previous_digest"),
    _tag("mac"),
)

# The system data key belongs to an account without a row, hence no foreign key to accounts.
data_keys = _table(
    "data_keys",
    *_columns(DataKeyRow),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    _at_most("account_id", 64),
    _at_most("id", 64),
    _one_of("state", "'active'", "'decrypt_only'"),
    _digest("check"),
    _tag("mac"),
    Index(
        "uq_data_keys_active",
        "account_id",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

wrappings = _table(
    "wrappings",
    *_columns(Wrapping),
    *_mac(),
    PrimaryKeyConstraint("account_id", "data_key_id", "key_ref"),
    ForeignKeyConstraint(["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"]),
    Index("ix_wrappings_key_ref", "key_ref"),
    _tag("mac"),
)

# Retired root keys: no wrapping by one of these is added.
fences = _table(
    "fences",
    *_strings("key_ref"),
    PrimaryKeyConstraint("key_ref"),
)

# The heartbeats of workers. They grant nothing; they can only stop a root key's retirement.
workers = _table(
    "workers",
    *_strings("id", "node", "key_refs", "opened_by"),
    *_numbers("fence_generation", "started_at_ms", "seen_at_ms"),
    PrimaryKeyConstraint("id"),
    _at_most("id", 64),
    _at_most("node", 255),
)

secrets = _table(
    "secrets",
    *_strings("account_id", "id", "name"),
    *_numbers("version", "create_time_ms", "update_time_ms"),
    *_strings("data_key_id"),
    *_mac(),  # covers account_id, id and name only
    *_blobs("envelope"),  # last: a list reads no page that only an envelope fills
    PrimaryKeyConstraint("account_id", "id"),
    UniqueConstraint("account_id", "name"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"]),
    Index("ix_secrets_data_key_id", "account_id", "data_key_id"),
    _at_most("id", 64),
    _at_most("name", 255),
    CheckConstraint("version >= 1", name="version"),
    _tag("mac"),
)

stored_responses = _table(
    "stored_responses",
    *_columns(StoredResponse),
    PrimaryKeyConstraint("account_id", "api_key_id", "request_id"),
    Index("ix_stored_responses_expires_at_ms", "account_id", "expires_at_ms"),
    _at_most("request_id", 255),
    _digest("digest"),
)

injections = _table(
    "injections",
    *_columns(Injection),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "api_key_id"], ["api_keys.account_id", "api_keys.id"]),
    Index("ix_injections_api_key_id", "account_id", "api_key_id", "id"),
    Index("ix_injections_expires_at_ms", "account_id", "expires_at_ms"),
    _at_most("id", 64),
    _digest("token_digest"),
    _one_of("state", "'pending'", "'redeemed'", "'revoked'"),
    _digest("nonce_digest"),
    _tag("mac"),
)

gateway_configs = _table(
    "gateway_configs",
    *_columns(GatewayConfig),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    UniqueConstraint("account_id", "name"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _at_most("id", 64),
    _at_most("name", 255),
    _one_of("auth_type", "'bearer'", "'basic'", "'header'"),
    _one_of("scrub", "0", "1"),
    _tag("mac"),
)

# No foreign key to a config, which may be deleted, and no one to those of the system.
gateway_tokens = _table(
    "gateway_tokens",
    *_columns(GatewayToken),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "api_key_id"], ["api_keys.account_id", "api_keys.id"]),
    Index("ix_gateway_tokens_api_key_id", "account_id", "api_key_id", "state", "expires_at_ms"),
    Index("ix_gateway_tokens_devbox_id", "account_id", "devbox_id", "id"),
    Index("ix_gateway_tokens_expires_at_ms", "account_id", "expires_at_ms"),
    _at_most("id", 64),
    _digest("config_pin"),
    _digest("token_digest"),
    _one_of("pin", "'none'", "'first_use'"),
    _one_of("state", "'live'", "'revoked'"),
    _tag("mac"),
)

gateway_uses = _table(
    "gateway_uses",
    *_columns(GatewayUse),
    *_mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    Index("ix_gateway_uses_token_id", "account_id", "token_id", "id"),
    Index("ix_gateway_uses_created_at_ms", "account_id", "created_at_ms"),
    _at_most("id", 64),
    _tag("mac"),
)

# Keys with which gateways ask for admissions: of the deployment, and of no account.
gateway_keys = _table(
    "gateway_keys",
    *_columns(GatewayKey),
    *_mac(),
    PrimaryKeyConstraint("id"),
    _at_most("id", 64),
    _digest("token_digest"),
    _tag("mac"),
)

# What an operator has turned off. No MAC: whoever could delete a row could also put the database
# back to before it. Workers can only read it.
switches = _table(
    "switches",
    *_strings("name"),
    *_numbers("off_since_ms"),
    PrimaryKeyConstraint("name"),
    _at_most("name", 64),
)

# The usage of an account, as the sweep counted it last. No MAC: a wrong count grants no value.
usage = _table(
    "usage",
    *_strings("account_id"),
    *_numbers("secrets", "injections", "api_keys", "bytes", "counted_at_ms"),
    PrimaryKeyConstraint("account_id"),
)

# Work that one process at a time does.
leases = _table(
    "leases",
    *_strings("name", "holder"),
    *_numbers("until_ms"),
    PrimaryKeyConstraint("name"),
)

# The move of this deployment from or to another database, at most one. No MAC: it grants nothing,
# and whoever could delete the row could also put all other rows back to an earlier state.
moves = _table(
    "moves",
    Column("only", Integer(), autoincrement=False, nullable=False),
    *_strings("id", "deployment_id", "state", "position"),
    PrimaryKeyConstraint("only"),
    _one_of("only", "1"),
    _one_of("state", "'closed'", "'receiving'", "'received'", "'given_up'"),
)
