"""Define the tables of datasets, registry, jobs and the log.

The tables of monitoring and access are in their own modules. `app.predictions.logged.partitions`
creates the log's partitions.
"""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class Base(DeclarativeBase):
    """The base of all tables; it names constraints so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        date: Date(),
        Json: JSONB(),
        str: Text(),
    }


def _of_dataset() -> ForeignKey:
    """Refer to a dataset that may be deleted, after which the reference is null."""
    return ForeignKey("datasets.id", ondelete="SET NULL")


class Dataset(Base):
    """An uploaded file as it was read; the same bytes read in the same way are one row."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("sha256", "read_options"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str]  # of the uploaded bytes; also their key in the object store
    read_options: Mapped[str]  # canonical JSON of the options that the caller fixed
    content_sha256: Mapped[str]  # key of the parsed content in the object store
    kind: Mapped[str]
    filename: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[Json]
    # A joined dataset has no file of its own; its sha256 is that of its content.
    extends_id: Mapped[UUID | None] = mapped_column(_of_dataset())
    # the upload that it was extended by
    extended_by_id: Mapped[UUID | None] = mapped_column(_of_dataset())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Model(Base):
    """A name in the registry."""

    __tablename__ = "models"
    __table_args__ = (CheckConstraint("kind IN ('series', 'text')", name="kind"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    last_version: Mapped[int] = mapped_column(server_default="0")  # numbers are never reused
    description: Mapped[str] = mapped_column(server_default="")
    tags: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]  # the name may be reused, but not its version numbers


class Version(Base):
    """A trained artifact; `deleted_at` marks a deleted version."""

    __tablename__ = "versions"

    model: Mapped[str] = mapped_column(ForeignKey("models.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    manifest: Mapped[Json]
    scorecard: Mapped[Json]
    files: Mapped[Json]  # {name: {"sha256": …, "size": …}}
    dataset_id: Mapped[UUID | None] = mapped_column(_of_dataset(), index=True)
    job_id: Mapped[UUID | None] = mapped_column(unique=True)  # one job registers at most once
    decision: Mapped[Json]  # {"promoted": bool, "reason": …, "comparison": …}
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class Alias(Base):
    """A movable name for a version."""

    __tablename__ = "aliases"
    __table_args__ = (
        ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AliasMove(Base):
    """A record of who moved which alias, when and why; never changed."""

    __tablename__ = "alias_moves"
    __table_args__ = (Index(None, "model", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    alias: Mapped[str]
    from_version: Mapped[int | None]
    to_version: Mapped[int]
    reason: Mapped[str]
    moved_by: Mapped[str]  # "api", "training", "import", "upload"
    key: Mapped[str | None]  # the name of the caller's key
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RegistryRevision(Base):
    """One row, raised in every transaction that changes what is served; api processes poll it."""

    __tablename__ = "registry_revision"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class Lease(Base):
    """The right of one process to do a certain task."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]


class Job(Base):
    """A training run. `queue_id` refers to the queue's own row in procrastinate_jobs."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"
        ),
        Index(None, "model", "id"),
        Index(None, "status", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="queued")
    queue_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    dataset_id: Mapped[UUID | None] = mapped_column(
        _of_dataset(), index=True
    )  # null: it was deleted
    test_dataset_id: Mapped[UUID | None] = mapped_column(_of_dataset())
    target: Mapped[str | None]
    recipe: Mapped[Json]
    start_from: Mapped[int | None]  # version of the same model
    comparison_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("comparisons.id", ondelete="SET NULL"), index=True
    )
    attempt: Mapped[int] = mapped_column(server_default="0")  # fences off stale attempts
    # number of trainers that this job killed
    deaths: Mapped[int] = mapped_column(server_default="0")
    # number of workers lost since the last checkpoint
    losses: Mapped[int] = mapped_column(server_default="0")
    progress: Mapped[Json] = mapped_column(server_default="{}")
    checkpoint: Mapped[Json | None]  # {"name": …, "sha256": …, "size": …} in the object store
    version: Mapped[int | None]
    error: Mapped[Json | None]  # a problem
    worker: Mapped[str | None]  # host:pid of the attempt
    key: Mapped[str | None]  # name of the key that ordered it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class JobNote(Base):
    """A line of a job's log in plain words; never changed."""

    __tablename__ = "job_notes"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Comparison(Base):
    """Jobs that train each kind of cell with the same recipe on the same dataset."""

    __tablename__ = "comparisons"
    __table_args__ = (Index(None, "model", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    kind: Mapped[str]
    dataset_id: Mapped[UUID | None] = mapped_column(_of_dataset())  # null: it was deleted
    test_dataset_id: Mapped[UUID | None] = mapped_column(_of_dataset())
    target: Mapped[str | None]
    recipe: Mapped[Json]  # shared by all cells; its own `cell` is ignored
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Evaluation(Base):
    """A version's scorecard on another dataset; each of its networks is judged only once."""

    __tablename__ = "evaluations"
    __table_args__ = (
        UniqueConstraint("model", "version", "dataset_id", "network"),
        CheckConstraint("network IN ('judged', 'served')", name="network"),
        ForeignKeyConstraint(
            ["model", "version"], ["versions.model", "versions.number"], ondelete="CASCADE"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    dataset_id: Mapped[UUID] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    # judged: the network before refitting; served: the network that answers requests
    network: Mapped[str]
    scorecard: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ForecastRun(Base):
    """The forecasts of all series of a dataset, logged once with counts."""

    __tablename__ = "forecast_runs"
    __table_args__ = (Index(None, "model", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    # None: the dataset has been deleted
    dataset_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("datasets.id", ondelete="SET NULL"), index=True
    )
    form: Mapped[str]
    horizon: Mapped[int]
    levels: Mapped[Json]
    series: Mapped[int]
    failed: Mapped[int]
    rows: Mapped[int]
    warnings: Mapped[Json]
    errors: Mapped[Json]
    key: Mapped[str | None]  # name of the caller's key
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Prediction(Base):
    """An answered request. Partitioned by day through its id; nothing refers to it."""

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "model", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    request_id: Mapped[str]
    model: Mapped[str]
    version: Mapped[int]
    alias: Mapped[str | None]  # the alias in the request; None: it gave a number
    kind: Mapped[str]
    series: Mapped[str | None]
    # json, not jsonb: stored as received, without parsing
    request: Mapped[Any] = mapped_column(JSON)
    response: Mapped[Any] = mapped_column(JSON)
    key: Mapped[str | None]  # name of the caller's key


class RefusedCall(Base):
    """A call that was not answered with a prediction; recorded on a best-effort basis."""

    __tablename__ = "refused_calls"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    request_id: Mapped[str]
    path: Mapped[str]
    status: Mapped[int]
    problem: Mapped[Json]
    body: Mapped[str | None]  # the first 4 KB of the body
    key: Mapped[str | None]  # name of the caller's key
