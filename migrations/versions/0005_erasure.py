"""Let datasets, models and jobs be deleted; add descriptions and tags of models."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Foreign keys to datasets, and what happens to their rows when a dataset is deleted.
OF_DATASETS = (
    ("comparisons", "dataset_id", "SET NULL"),
    ("comparisons", "test_dataset_id", "SET NULL"),
    ("datasets", "extended_by_id", "SET NULL"),
    ("datasets", "extends_id", "SET NULL"),
    ("evaluations", "dataset_id", "CASCADE"),
    ("jobs", "dataset_id", "SET NULL"),
    ("jobs", "test_dataset_id", "SET NULL"),
    ("versions", "dataset_id", "SET NULL"),
)
REQUIRED_BEFORE = (("comparisons", "dataset_id"), ("jobs", "dataset_id"))


def upgrade() -> None:
    for table, column, action in OF_DATASETS:
        _refer_to_datasets(table, column, ondelete=action)
    for table, column in REQUIRED_BEFORE:
        op.alter_column(table, column, existing_type=sa.Uuid(), nullable=True)
    op.drop_constraint("evaluations_model_version_fkey", "evaluations", type_="foreignkey")
    op.create_foreign_key(
        "evaluations_model_version_fkey",
        "evaluations",
        "versions",
        ["model", "version"],
        ["model", "number"],
        ondelete="CASCADE",
    )
    op.drop_constraint("jobs_comparison_id_fkey", "jobs", type_="foreignkey")
    op.create_foreign_key(
        "jobs_comparison_id_fkey",
        "jobs",
        "comparisons",
        ["comparison_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.add_column("models", sa.Column("description", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "models",
        sa.Column("tags", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.add_column("models", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("deleted_at", "tags", "description"):
        op.drop_column("models", column)
    for table, column, _ in OF_DATASETS:
        _refer_to_datasets(table, column, ondelete=None)


def _refer_to_datasets(table: str, column: str, *, ondelete: str | None) -> None:
    name = f"{table}_{column}_fkey"
    op.drop_constraint(name, table, type_="foreignkey")
    op.create_foreign_key(name, table, "datasets", [column], ["id"], ondelete=ondelete)
