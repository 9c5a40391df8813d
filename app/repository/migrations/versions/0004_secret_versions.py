"""The table of old values of secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0004.0002.0001_5"
down_revision = "0003.0002.0001_5"
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table. Code that does not know it archives nothing, and deletes by the cascade."""
    op.create_table(
        "secret_versions",
        sa.Column("account_id", _STRING, nullable=False),
        sa.Column("secret_id", _STRING, nullable=False),
        sa.Column("version", _NUMBER, nullable=False),
        sa.Column("data_key_id", _STRING, nullable=False),
        sa.Column("created_at_ms", _NUMBER, nullable=False),
        sa.Column("replaced_at_ms", _NUMBER, nullable=False),
        sa.Column("replaced_by", _STRING, nullable=False),
        sa.Column("archived", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "secret_id", "version", name="pk_secret_versions"),
        sa.ForeignKeyConstraint(
            ["account_id", "secret_id"],
            ["secrets.account_id", "secrets.id"],
            name="fk_secret_versions_secrets",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "data_key_id"],
            ["data_keys.account_id", "data_keys.id"],
            name="fk_secret_versions_data_keys",
        ),
        sa.CheckConstraint("version >= 1", name="ck_secret_versions_version"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_secret_versions_data_key_id",
        "secret_versions",
        ["account_id", "data_key_id", "secret_id", "version"],
    )
    op.create_index(
        "ix_secret_versions_replaced_at_ms", "secret_versions", ["account_id", "replaced_at_ms"]
    )
