"""Add the texts that really followed a prompt, and daily figures of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "text_actuals",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("prediction_id", name="text_actuals_pkey"),
    )
    op.create_index(
        "text_actuals_model_prediction_id_idx", "text_actuals", ["model", "prediction_id"]
    )
    op.create_index(
        "text_actuals_unsettled_idx",
        "text_actuals",
        ["prediction_id"],
        postgresql_where=sa.text("unsettled"),
    )
    op.create_table(
        "text_scores",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("correct", sa.Integer(), nullable=False),
        sa.Column("nats", sa.Double(), nullable=False),
        sa.Column("ngram_nats", sa.Double(), nullable=True),
        sa.CheckConstraint("role IN ('served', 'shadow')", name="text_scores_role_check"),
        sa.PrimaryKeyConstraint("prediction_id", "role", name="text_scores_pkey"),
    )
    op.create_index(
        "text_scores_shadow_idx",
        "text_scores",
        ["model", "prediction_id"],
        postgresql_where=sa.text("role = 'shadow'"),
    )
    op.create_table(
        "daily_texts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("texts", "characters", "tokens", "correct")
        ),
        sa.Column("nats", sa.Double(), nullable=False),
        sa.Column("ngram_nats", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("day", "model", "version", "role", name="daily_texts_pkey"),
    )


def downgrade() -> None:
    op.drop_table("daily_texts")
    op.drop_table("text_scores")
    op.drop_table("text_actuals")
