"""Queries on runs that forecast all series of a dataset."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.forecast_runs.all_series import AllSeries
from app.forecast_runs.summary import Summary
from app.storage.tables import ForecastRun


def keep_run(
    session: Session, run: AllSeries, summary: Summary, *, dataset_id: UUID, key: str | None
) -> ForecastRun:
    """Store a run with its counts."""
    kept = ForecastRun(
        id=UUID(run.run_id),
        model=run.model,
        version=run.number,
        dataset_id=dataset_id,
        form=run.form,
        horizon=summary.horizon,
        levels=list(run.levels),
        series=summary.series,
        failed=summary.failed,
        rows=summary.rows,
        warnings=[asdict(told) for told in summary.warnings],
        errors=[asdict(told) for told in summary.errors],
        key=key,
    )
    session.add(kept)
    return kept


def list_runs(
    session: Session, *, model: str, limit: int, before: UUID | None
) -> Sequence[ForecastRun]:
    """Return the runs of a model, newest first; with `before`, only those with a smaller id."""
    query = select(ForecastRun).where(ForecastRun.model == model)
    if before is not None:
        query = query.where(ForecastRun.id < before)
    return session.scalars(query.order_by(ForecastRun.id.desc()).limit(limit)).all()
