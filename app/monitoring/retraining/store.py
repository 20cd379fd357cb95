"""Queries on schedules and their decisions."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.registry.store import find_model
from app.storage.ids import new_id
from app.storage.job_status import UNFINISHED
from app.storage.monitoring_tables import RetrainingDecision, Schedule
from app.storage.tables import Dataset, Job, Version


def find_schedule(session: Session, model: str) -> Schedule | None:
    """Return a model's schedule, or None if it has none.

    Raises:
        NotFound: no such model.
    """
    find_model(session, model)
    return session.get(Schedule, model)


def put_schedule(
    session: Session,
    model: str,
    *,
    cron: str | None,
    next_at: datetime | None,
    thresholds: dict[str, Any] | None,
) -> Schedule:
    """Set a model's schedule, replacing the one it may have.

    Raises:
        NotFound: no such model.
    """
    find_model(session, model)
    given = {"cron": cron, "next_at": next_at, "thresholds": thresholds, "judged_at": None}
    # One statement: if two set the first schedule at once, the later one is kept.
    new = insert(Schedule).values(model=model, **given)
    statement = new.on_conflict_do_update(
        index_elements=[Schedule.model],
        set_={name: new.excluded[name] for name in given} | {"updated_at": func.now()},
    ).returning(Schedule)
    return session.scalars(statement, execution_options={"populate_existing": True}).one()


def check_can_retrain(session: Session, model: str) -> None:
    """Check that there is a dataset to retrain a model on.

    Raises:
        NotFound: no such model.
        Conflict: no version of it has a dataset here.
    """
    find_model(session, model)
    if newest_dataset(session, model) is None:
        raise Conflict(
            f"{model!r} cannot be retrained on a schedule: no version of it was trained on a "
            f"dataset that is stored here. Train it once first, with POST /models/{model}/train"
        )


def delete_schedule(session: Session, model: str) -> None:
    """Delete a model's schedule; its decisions remain.

    Raises:
        NotFound: no such model, or it has no schedule.
    """
    schedule = find_schedule(session, model)
    if schedule is None:
        raise NotFound(f"{model!r} has no schedule; it is not retrained automatically")
    session.delete(schedule)
    session.flush()


def lock_due(
    session: Session,
    *,
    now: datetime,
    judge_every: timedelta,
    except_models: Collection[str] = (),
) -> Schedule | None:
    """Lock a due schedule until the transaction ends; None if no unlocked one is due."""
    due = or_(
        Schedule.next_at <= now,
        Schedule.thresholds.is_not(None)
        & or_(Schedule.judged_at.is_(None), Schedule.judged_at <= now - judge_every),
    )
    query = (
        select(Schedule)
        .where(due, Schedule.model.not_in(except_models))
        .order_by(Schedule.model)
        .limit(1)
    )
    return session.scalar(query.with_for_update(skip_locked=True))


def add_decision(
    session: Session,
    model: str,
    *,
    cause: str,
    reason: str,
    figures: dict[str, Any],
    job_id: UUID | None,
) -> RetrainingDecision:
    """Record a decision; it trained if it has a job."""
    decision = RetrainingDecision(
        id=new_id(),
        model=model,
        cause=cause,
        trained=job_id is not None,
        reason=reason,
        figures=figures,
        job_id=job_id,
    )
    session.add(decision)
    session.flush()
    session.refresh(decision)
    return decision


def list_decisions(
    session: Session, model: str, *, before: UUID | None, limit: int
) -> Sequence[RetrainingDecision]:
    """Return decisions about a model, newest first, from before the id `before`."""
    query = (
        select(RetrainingDecision)
        .where(RetrainingDecision.model == model)
        .order_by(RetrainingDecision.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(RetrainingDecision.id < before)
    return session.scalars(query).all()


def last_decision(
    session: Session, model: str, *, cause: str | None = None, trained: bool | None = None
) -> RetrainingDecision | None:
    """Return the newest decision about a model with this cause or outcome."""
    query = select(RetrainingDecision).where(RetrainingDecision.model == model)
    if cause is not None:
        query = query.where(RetrainingDecision.cause == cause)
    if trained is not None:
        query = query.where(RetrainingDecision.trained == trained)
    return session.scalar(query.order_by(RetrainingDecision.id.desc()).limit(1))


def unfinished_job(session: Session, model: str) -> Job | None:
    """Return a job of the model that is queued or running."""
    query = select(Job).where(Job.model == model, Job.status.in_(UNFINISHED))
    return session.scalar(query.order_by(Job.id.desc()).limit(1))


def newest_dataset(session: Session, model: str) -> Dataset | None:
    """Return the dataset of the model's newest version that has one."""
    query = (
        select(Dataset)
        .join(Version, Version.dataset_id == Dataset.id)
        .where(Version.model == model)
        .order_by(Version.number.desc())
        .limit(1)
    )
    return session.scalar(query)


def newest_trained_version(session: Session, model: str) -> Version | None:
    """Return the model's newest version whose dataset is here."""
    query = (
        select(Version)
        .where(Version.model == model, Version.deleted_at.is_(None))
        .where(Version.dataset_id.is_not(None))
        .order_by(Version.number.desc())
        .limit(1)
    )
    return session.scalar(query)
