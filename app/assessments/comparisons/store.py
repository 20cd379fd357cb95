"""Queries on comparisons."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.jobs import job_log, queue
from app.jobs.ordering import Placement
from app.storage.ids import new_id
from app.storage.job_status import UNFINISHED
from app.storage.tables import Comparison, Job, Version


def add_comparison(session: Session, placement: Placement) -> Comparison:
    """Record a comparison; its jobs are queued in the same transaction."""
    comparison = Comparison(
        id=new_id(),
        model=placement.model,
        kind=placement.kind,
        dataset_id=placement.data.id,
        test_dataset_id=None if placement.test is None else placement.test.id,
        target=placement.target,
        recipe=placement.recipe.model_dump(mode="json"),
    )
    session.add(comparison)
    session.flush()
    session.refresh(comparison)
    return comparison


def get_comparison(session: Session, model: str, comparison_id: UUID) -> Comparison:
    """Return one comparison of a model.

    Raises:
        NotFound: the model has none with this id.
    """
    found = session.get(Comparison, comparison_id)
    if found is None or found.model != model:
        raise NotFound(
            f"There is no comparison {comparison_id} of {model[:100]!r}; "
            "GET /models/{name}/comparisons lists a model's."
        )
    return found


def list_comparisons(
    session: Session, model: str, *, limit: int, before: UUID | None = None
) -> Sequence[Comparison]:
    """Return comparisons of a model, newest first, from before the id `before`."""
    query = (
        select(Comparison)
        .where(Comparison.model == model)
        .order_by(Comparison.id.desc())
        .limit(limit)
    )
    return session.scalars(query if before is None else query.where(Comparison.id < before)).all()


def jobs_of(session: Session, comparisons: Sequence[Comparison]) -> Sequence[Job]:
    """Return the jobs of some comparisons, in the order in which they were queued."""
    ids = [comparison.id for comparison in comparisons]
    return session.scalars(select(Job).where(Job.comparison_id.in_(ids)).order_by(Job.id)).all()


def versions_of(session: Session, jobs: Sequence[Job]) -> Mapping[UUID, Version]:
    """Return the versions of jobs, keyed by job, with deleted ones, whose figures stay."""
    found = session.scalars(select(Version).where(Version.job_id.in_([job.id for job in jobs])))
    return {version.job_id: version for version in found if version.job_id is not None}


def cancel_comparison(session: Session, comparison: Comparison) -> None:
    """Cancel those jobs of a comparison that have not ended.

    Raises:
        Conflict: all of them have ended.
    """
    waiting = session.scalars(
        select(Job.id)
        .where(Job.comparison_id == comparison.id, Job.status.in_(UNFINISHED))
        .order_by(Job.id)
        .with_for_update()
    ).all()
    if not waiting:
        raise Conflict(f"comparison {comparison.id} has ended already")
    for job_id in waiting:
        queue.cancel(session, job_id)
        job_log.note(session, job_id, "cancelled with its comparison")


def has_comparison(session: Session, model: str) -> bool:
    """Return whether a name has a comparison; it may have no version yet."""
    count = select(func.count()).select_from(Comparison).where(Comparison.model == model)
    return bool(session.scalar(count))
