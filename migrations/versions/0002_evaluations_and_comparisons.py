"""Add evaluations of versions on other datasets, and comparisons of cells."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("test_dataset_id", sa.Uuid(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("recipe", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="comparisons_dataset_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["test_dataset_id"], ["datasets.id"], name="comparisons_test_dataset_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="comparisons_pkey"),
    )
    op.create_index("comparisons_model_id_idx", "comparisons", ["model", "id"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("scorecard", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("network IN ('judged', 'served')", name="evaluations_network_check"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="evaluations_dataset_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name="evaluations_model_version_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name="evaluations_pkey"),
        sa.UniqueConstraint(
            "model",
            "version",
            "dataset_id",
            "network",
            name="evaluations_model_version_dataset_id_network_key",
        ),
    )
    op.create_index("evaluations_dataset_id_idx", "evaluations", ["dataset_id"], unique=False)
    op.add_column("jobs", sa.Column("comparison_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "jobs_comparison_id_fkey", "jobs", "comparisons", ["comparison_id"], ["id"]
    )
    op.create_index("jobs_comparison_id_idx", "jobs", ["comparison_id"], unique=False)


def downgrade() -> None:
    op.drop_index("jobs_comparison_id_idx", table_name="jobs")
    op.drop_constraint("jobs_comparison_id_fkey", "jobs", type_="foreignkey")
    op.drop_column("jobs", "comparison_id")
    op.drop_table("evaluations")
    op.drop_table("comparisons")
