"""Create the first schema: registry, datasets, jobs, the log in partitions, the queue's tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moved_by", sa.Text(), nullable=False),
        sa.Column(
            "moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="alias_moves_pkey"),
    )
    op.create_index("alias_moves_model_id_idx", "alias_moves", ["model", "id"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("read_options", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("extends_id", sa.Uuid(), nullable=True),
        sa.Column("extended_by_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["extends_id"], ["datasets.id"], name="datasets_extends_id_fkey"),
        sa.ForeignKeyConstraint(
            ["extended_by_id"], ["datasets.id"], name="datasets_extended_by_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="datasets_pkey"),
        sa.UniqueConstraint("sha256", "read_options", name=("datasets_sha256_read_options_key")),
    )
    op.create_table(
        "models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('series', 'text')", name="models_kind_check"),
        sa.PrimaryKeyConstraint("name", name="models_pkey"),
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="predictions_pkey"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("predictions_model_id_idx", "predictions", ["model", "id"], unique=False)
    op.create_table(
        "refused_calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="refused_calls_pkey"),
    )
    op.create_table(
        "registry_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="registry_revision_single_check"),
        sa.PrimaryKeyConstraint("id", name="registry_revision_pkey"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="queued", nullable=False),
        sa.Column("queue_id", sa.BigInteger(), nullable=True),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("test_dataset_id", sa.Uuid(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("recipe", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("start_from", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deaths", sa.Integer(), server_default="0", nullable=False),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "progress", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("checkpoint", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name="jobs_status_check",
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="jobs_dataset_id_fkey"),
        sa.ForeignKeyConstraint(
            ["test_dataset_id"], ["datasets.id"], name="jobs_test_dataset_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="jobs_pkey"),
    )
    op.create_index("jobs_dataset_id_idx", "jobs", ["dataset_id"], unique=False)
    op.create_index("jobs_model_id_idx", "jobs", ["model", "id"], unique=False)
    op.create_index("jobs_queue_id_idx", "jobs", ["queue_id"], unique=False)
    op.create_index("jobs_status_id_idx", "jobs", ["status", "id"], unique=False)
    op.create_table(
        "versions",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scorecard", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("decision", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="versions_dataset_id_fkey"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="versions_model_fkey"),
        sa.PrimaryKeyConstraint("model", "number", name="versions_pkey"),
        sa.UniqueConstraint("job_id", name="versions_job_id_key"),
    )
    op.create_index("versions_dataset_id_idx", "versions", ["dataset_id"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name="aliases_model_version_fkey",
        ),
        sa.PrimaryKeyConstraint("model", "alias", name="aliases_pkey"),
    )
    op.execute("INSERT INTO registry_revision (id, value) VALUES (1, 0)")
    _create_monitoring()
    _execute_script(SchemaManager.get_schema())


def _create_monitoring() -> None:
    op.create_table(
        "actuals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.Text(), nullable=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("prediction_id", sa.Uuid(), nullable=True),
        sa.Column("unsettled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("source IN ('explicit', 'implied')", name="actuals_source_check"),
        sa.PrimaryKeyConstraint("id", name="actuals_pkey"),
        sa.UniqueConstraint("model", "series", "moment", name="actuals_model_series_moment_key"),
    )
    op.create_index("actuals_model_id_idx", "actuals", ["model", "id"], unique=False)
    op.create_index(
        "actuals_unsettled_idx",
        "actuals",
        ["id"],
        unique=False,
        postgresql_where=sa.text("unsettled"),
    )
    op.create_table(
        "daily_coverage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("forecasts", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "model", "version", "role", "level", name="daily_coverage_pkey"
        ),
    )
    op.create_table(
        "daily_errors",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("forecasts", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.Double(), nullable=False),
        sa.Column("absolute", sa.Double(), nullable=False),
        sa.Column("squared", sa.Double(), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("compared_squared", sa.Double(), nullable=False),
        sa.Column("persistence_squared", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "model", "version", "role", "step", name="daily_errors_pkey"
        ),
    )
    op.create_table(
        "daily_inputs",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("day", "model", "version", "feature", name="daily_inputs_pkey"),
    )
    op.create_table(
        "daily_requests",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "model", "version", "role", name="daily_requests_pkey"),
    )
    op.create_table(
        "forecasts",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("persistence", sa.Double(), nullable=True),
        sa.Column(
            "intervals", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("actual", sa.Double(), nullable=True),
        sa.CheckConstraint("role IN ('served', 'shadow')", name="forecasts_role_check"),
        sa.PrimaryKeyConstraint("prediction_id", "role", "step", name="forecasts_pkey"),
    )
    op.create_index(
        "forecasts_model_series_moment_idx",
        "forecasts",
        ["model", "series", "moment"],
        unique=False,
    )
    op.create_index(
        "forecasts_shadow_idx",
        "forecasts",
        ["model", "prediction_id"],
        unique=False,
        postgresql_where=sa.text("role = 'shadow'"),
    )
    op.create_table(
        "log_position",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name="log_position_single_check"),
        sa.PrimaryKeyConstraint("id", name="log_position_pkey"),
    )
    op.create_table(
        "read_predictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="read_predictions_pkey"),
    )
    op.create_table(
        "retraining_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("trained", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="retraining_decisions_pkey"),
    )
    op.create_index(
        "retraining_decisions_model_id_idx", "retraining_decisions", ["model", "id"], unique=False
    )
    op.create_table(
        "schedules",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column(
            "thresholds", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="schedules_model_fkey"),
        sa.PrimaryKeyConstraint("model", name="schedules_pkey"),
    )
    op.execute(
        "INSERT INTO log_position (id, position) VALUES (1, '00000000-0000-0000-0000-000000000000')"
    )


def _execute_script(script: str) -> None:
    """Run several statements without parameters, so that % and : have no special meaning."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("migrations need a live connection; there is no offline mode")
    driver.execute(script)


def downgrade() -> None:
    raise RuntimeError("nothing comes before the first schema; drop the database instead")
