"""Add keys with scopes, browser sessions, the use of keys, and the audit list."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOW = sa.text("now()")
# Filled by this release and left empty by the previous one, which may still be running.
WHO = (("alias_moves", "key"), ("jobs", "key"), ("predictions", "key"), ("refused_calls", "key"))


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("models", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("limits", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changes", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("scope IN ('predict', 'train', 'admin')", name="api_keys_scope_check"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("digest", name="api_keys_digest_key"),
        sa.UniqueConstraint("name", name="api_keys_name_key"),
    )
    op.create_table(
        "browser_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name="browser_sessions_key_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name="browser_sessions_pkey"),
    )
    op.create_index("browser_sessions_key_id_idx", "browser_sessions", ["key_id"])
    op.create_index("browser_sessions_expires_at_idx", "browser_sessions", ["expires_at"])
    op.create_table(
        "key_usage",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("upload_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name="key_usage_key_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_id", "day", name="key_usage_pkey"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_pkey"),
    )
    op.create_index("audit_key_id_idx", "audit", ["key", "id"])
    op.create_table(
        "instance_secret",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="instance_secret_single_check"),
        sa.PrimaryKeyConstraint("id", name="instance_secret_pkey"),
    )
    # 244 random bits: each of the two UUIDs has 122.
    op.execute(
        "INSERT INTO instance_secret (id, value) VALUES "
        "(1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
    )
    for table, column in WHO:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=True))


def downgrade() -> None:
    for table, column in WHO:
        op.drop_column(table, column)
    for table in ("instance_secret", "audit", "key_usage", "browser_sessions", "api_keys"):
        op.drop_table(table)
