"""The words of the audit trail: actions, and how each ended."""

from enum import StrEnum


class Action(StrEnum):
    """The action of a record. A released word never changes; a newer version may write others."""

    SECRET_CREATED = "secret.created"  # noqa: S105 - an action, not a password
    SECRET_UPDATED = "secret.updated"  # noqa: S105 - an action, not a password
    SECRET_DELETED = "secret.deleted"  # noqa: S105 - an action, not a password
    SECRET_ROLLED_BACK = "secret.rolled_back"  # noqa: S105 - an action, not a password
    SECRET_VERSION_DELETED = "secret.version_deleted"  # noqa: S105 - an action, not a password
    SECRET_PURGED = "secret.purged"  # noqa: S105 - an action, not a password

    INJECTION_CREATED = "injection.created"
    INJECTION_REDEEMED = "injection.redeemed"
    INJECTION_REPEATED = "injection.repeated"
    INJECTION_REUSED = "injection.reused"
    INJECTION_REVOKED = "injection.revoked"

    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_EMPTIED = "account.emptied"
    ACCOUNT_DELETED = "account.deleted"

    GATEWAY_CONFIG_CREATED = "gateway_config.created"
    GATEWAY_CONFIG_UPDATED = "gateway_config.updated"
    GATEWAY_CONFIG_DELETED = "gateway_config.deleted"
    GATEWAY_TOKEN_CREATED = "gateway_token.created"  # noqa: S105 - an action, not a password
    GATEWAY_TOKEN_REVOKED = "gateway_token.revoked"  # noqa: S105 - an action, not a password
    GATEWAY_ADMITTED = "gateway.admitted"
    GATEWAY_KEY_CREATED = "gateway_key.created"
    GATEWAY_KEY_REVOKED = "gateway_key.revoked"
    GATEWAY_STOPPED = "gateway.stopped"
    GATEWAY_STARTED = "gateway.started"

    DATA_KEY_CREATED = "data_key.created"
    DATA_KEY_DELETED = "data_key.deleted"
    KEYRING_REWRAPPED = "keyring.rewrapped"
    KEYRING_RECOVERED = "keyring.recovered"
    KEYRING_FENCED = "keyring.fenced"
    KEYRING_UNFENCED = "keyring.unfenced"
    KEYRING_RETIRED = "keyring.retired"
    REENCRYPTION_STARTED = "reencryption.started"
    REENCRYPTION_ENDED = "reencryption.ended"
    SECRETS_REENCRYPTED = "secrets.reencrypted"

    DEPLOYMENT_CREATED = "deployment.created"
    SETTINGS_CHANGED = "settings.changed"
    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
    TOKENS_ENDED = "tokens.ended"
    ROWS_SWEPT = "rows.swept"

    REFUSED = "refused"
    AUDIT_ROLLED_BACK = "audit.rolled_back"
    AUDIT_LOSS_ACCEPTED = "audit.loss_accepted"
    AUDIT_CUT = "audit.cut"


class Outcome(StrEnum):
    """The end of an action."""

    DONE = "done"
    BEGUN = "begun"
    REFUSED = "refused"
