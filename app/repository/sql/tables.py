"""The tables: only ciphertext, keyed hashes and metadata.

Every key starts with the account id. Constraints decide races, and check what an honest server
writes. They are no defence against a writer of the database; MACs and envelopes are. The columns
of a row type follow from it (``app.domain.columns``). The migrations make exactly these tables,
which a test compares. Those of the audit trail have a module of their own.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.data_keys import DataKeyRow, Wrapping
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.keys import GatewayKey
from app.domain.gateways.tokens import GatewayToken
from app.domain.gateways.uses import GatewayUse
from app.domain.idempotency import StoredResponse
from app.domain.injections import Injection
from app.domain.secret_versions import ArchivedVersion
from app.repository.sql.audit import tables as audit
from app.repository.sql.driver.table_parts import (
    at_most,
    blobs,
    columns,
    digest,
    mac,
    numbers,
    one_of,
    strings,
    table,
    tag,
)

metadata = audit.audit_events.metadata
"""All tables, with those of the audit trail."""

deployment = table(
    "deployment",
    Column("only", Integer(), autoincrement=False, nullable=False),
    *strings("id"),
    *numbers("fence_generation"),
    *numbers("reencrypt_started_ms", nullable=True),
    *strings("reencrypt_mac_key_id", nullable=True),
    *blobs("reencrypt_mac", nullable=True),
    PrimaryKeyConstraint("only"),
    one_of("only", "1"),
    tag("reencrypt_mac"),
)

accounts = table(
    "accounts",
    *columns(Account),
    *mac(),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    at_most("id", 64),
    one_of("devbox", "0", "1"),
    tag("mac"),
)

api_keys = table(
    "api_keys",
    *columns(ApiKey),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    at_most("id", 64),
    one_of("restricted", "0", "1"),
    digest("token_digest"),
    digest("previous_digest"),
    tag("mac"),
)

# The system data key belongs to an account without a row, hence no foreign key to accounts.
data_keys = table(
    "data_keys",
    *columns(DataKeyRow),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    at_most("account_id", 64),
    at_most("id", 64),
    one_of("state", "'active'", "'decrypt_only'"),
    digest("check"),
    tag("mac"),
    Index(
        "uq_data_keys_active",
        "account_id",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

wrappings = table(
    "wrappings",
    *columns(Wrapping),
    *mac(),
    PrimaryKeyConstraint("account_id", "data_key_id", "key_ref"),
    ForeignKeyConstraint(["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"]),
    Index("ix_wrappings_key_ref", "key_ref"),
    tag("mac"),
)

# Retired root keys: no wrapping by one of these is added.
fences = table(
    "fences",
    *strings("key_ref"),
    PrimaryKeyConstraint("key_ref"),
)

# The heartbeats of workers. They grant nothing; they can only stop a root key's retirement.
workers = table(
    "workers",
    *strings("id", "node", "key_refs", "opened_by"),
    *numbers("fence_generation", "started_at_ms", "seen_at_ms"),
    PrimaryKeyConstraint("id"),
    at_most("id", 64),
    at_most("node", 255),
)

secrets = table(
    "secrets",
    *strings("account_id", "id", "name"),
    *numbers("version", "create_time_ms", "update_time_ms"),
    *strings("data_key_id"),
    *mac(),  # covers account_id, id and name only
    *blobs("envelope"),  # last: a list reads no page that only an envelope fills
    PrimaryKeyConstraint("account_id", "id"),
    UniqueConstraint("account_id", "name"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"]),
    Index("ix_secrets_data_key_id", "account_id", "data_key_id"),
    at_most("id", 64),
    at_most("name", 255),
    CheckConstraint("version >= 1", name="version"),
    tag("mac"),
)

# Code that does not know this table deletes secrets, so their old values go by the cascade.
secret_versions = table(
    "secret_versions",
    *columns(ArchivedVersion),
    PrimaryKeyConstraint("account_id", "secret_id", "version"),
    ForeignKeyConstraint(
        ["account_id", "secret_id"], ["secrets.account_id", "secrets.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["account_id", "data_key_id"], ["data_keys.account_id", "data_keys.id"]),
    Index("ix_secret_versions_data_key_id", "account_id", "data_key_id", "secret_id", "version"),
    Index("ix_secret_versions_replaced_at_ms", "account_id", "replaced_at_ms"),
    CheckConstraint("version >= 1", name="version"),
)

stored_responses = table(
    "stored_responses",
    *columns(StoredResponse),
    PrimaryKeyConstraint("account_id", "api_key_id", "request_id"),
    Index("ix_stored_responses_expires_at_ms", "account_id", "expires_at_ms"),
    at_most("request_id", 255),
    digest("digest"),
)

injections = table(
    "injections",
    *columns(Injection),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "api_key_id"], ["api_keys.account_id", "api_keys.id"]),
    Index("ix_injections_api_key_id", "account_id", "api_key_id", "id"),
    Index("ix_injections_expires_at_ms", "account_id", "expires_at_ms"),
    at_most("id", 64),
    digest("token_digest"),
    one_of("state", "'pending'", "'redeemed'", "'revoked'"),
    digest("nonce_digest"),
    tag("mac"),
)

gateway_configs = table(
    "gateway_configs",
    *columns(GatewayConfig),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    UniqueConstraint("account_id", "name"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    at_most("id", 64),
    at_most("name", 255),
    one_of("auth_type", "'bearer'", "'basic'", "'header'"),
    one_of("scrub", "0", "1"),
    tag("mac"),
)

# No foreign key to a config, which may be deleted, and no one to those of the system.
gateway_tokens = table(
    "gateway_tokens",
    *columns(GatewayToken),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id", "api_key_id"], ["api_keys.account_id", "api_keys.id"]),
    Index("ix_gateway_tokens_api_key_id", "account_id", "api_key_id", "state", "expires_at_ms"),
    Index("ix_gateway_tokens_devbox_id", "account_id", "devbox_id", "id"),
    Index("ix_gateway_tokens_expires_at_ms", "account_id", "expires_at_ms"),
    at_most("id", 64),
    digest("config_pin"),
    digest("token_digest"),
    one_of("pin", "'none'", "'first_use'"),
    one_of("state", "'live'", "'revoked'"),
    tag("mac"),
)

gateway_uses = table(
    "gateway_uses",
    *columns(GatewayUse),
    *mac(),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    Index("ix_gateway_uses_token_id", "account_id", "token_id", "id"),
    Index("ix_gateway_uses_created_at_ms", "account_id", "created_at_ms"),
    at_most("id", 64),
    tag("mac"),
)

# Keys with which gateways ask for admissions: of the deployment, and of no account.
gateway_keys = table(
    "gateway_keys",
    *columns(GatewayKey),
    *mac(),
    PrimaryKeyConstraint("id"),
    at_most("id", 64),
    digest("token_digest"),
    tag("mac"),
)

# What an operator has turned off. No MAC: whoever could delete a row could also put the database
# back to before it. Workers can only read it.
switches = table(
    "switches",
    *strings("name"),
    *numbers("off_since_ms"),
    PrimaryKeyConstraint("name"),
    at_most("name", 64),
)

# The usage of an account, as the sweep counted it last. No MAC: a wrong count grants no value.
usage = table(
    "usage",
    *strings("account_id"),
    *numbers("secrets", "injections", "api_keys", "bytes", "counted_at_ms"),
    PrimaryKeyConstraint("account_id"),
)

# Work that one process at a time does.
leases = table(
    "leases",
    *strings("name", "holder"),
    *numbers("until_ms"),
    PrimaryKeyConstraint("name"),
)

# The move of this deployment from or to another database, at most one. No MAC: it grants nothing,
# and whoever could delete the row could also put all other rows back to an earlier state.
moves = table(
    "moves",
    Column("only", Integer(), autoincrement=False, nullable=False),
    *strings("id", "deployment_id", "state", "position"),
    PrimaryKeyConstraint("only"),
    one_of("only", "1"),
    one_of("state", "'closed'", "'receiving'", "'received'", "'given_up'"),
)
