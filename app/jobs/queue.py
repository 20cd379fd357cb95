"""The jobs table and the queue behind it: every query about jobs is here.

A job's row and its place in Procrastinate's queue are written in one transaction. Each attempt at a
job has its own queue row (`jobs.queue_id`). Procrastinate finishes a queue row without checking who
owns it, so a straggler that wakes up may close its own old row and nothing else. The attempt's
number fences everything that an attempt writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, null, select, text, update
from sqlalchemy.orm import Session

from app.errors import Conflict, Internal, NotFound
from app.recipes.recipe import SeriesRecipe, TextRecipe
from app.storage.ids import new_id
from app.storage.job_status import FINAL, UNFINISHED, JobStatus, sources
from app.storage.tables import Job

QUEUE = "training"
TASK = "train"
STALLED_AFTER = timedelta(seconds=10)
CONTINUED_FIRST = 1  # priority: a job that was begun goes before those that were not

MAX_DEATHS = 3  # trainers that a job may crash
MAX_LOSSES = 10  # workers that it may lose between checkpoints


class Superseded(Exception):
    """This attempt may no longer write: the job was cancelled, or another attempt has it."""


class TrainerKilled(Internal):
    """The job's network crashed its trainer several times."""

    title, slug = "Training failed", "trainer-killed"


class WorkersLost(Internal):
    """No worker lived long enough to advance the job."""

    title, slug = "Training failed", "workers-lost"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write to a job, as long as it is not superseded."""

    job_id: UUID
    attempt: int


def enqueue(
    session: Session,
    *,
    model: str,
    kind: str,
    dataset_id: UUID,
    recipe: SeriesRecipe | TextRecipe,
    test_dataset_id: UUID | None = None,
    target: str | None = None,
    start_from: int | None = None,
    comparison_id: UUID | None = None,
) -> Job:
    """Record a job and queue it, in the session's transaction."""
    job = Job(
        id=new_id(),
        model=model,
        kind=kind,
        status=JobStatus.QUEUED,
        dataset_id=dataset_id,
        test_dataset_id=test_dataset_id,
        target=target,
        recipe=recipe.model_dump(mode="json"),
        start_from=start_from,
        comparison_id=comparison_id,
    )
    session.add(job)
    session.flush()
    job.queue_id = _place_in_queue(session, job.id, priority=0)
    session.flush()
    session.refresh(job)
    return job


def get_job(session: Session, job_id: UUID) -> Job:
    """Return one job.

    Raises:
        NotFound: no job has this id.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def hold_model(session: Session, model: str) -> None:
    """Lock the name of a model until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(model, 0))))


def list_jobs(
    session: Session,
    *,
    model: str | None = None,
    status: JobStatus | None = None,
    before: UUID | None = None,
    limit: int,
) -> Sequence[Job]:
    """Return jobs, newest first, from before the id `before`."""
    statement = select(Job).order_by(Job.id.desc()).limit(limit)
    if model is not None:
        statement = statement.where(Job.model == model)
    if status is not None:
        statement = statement.where(Job.status == status)
    if before is not None:
        statement = statement.where(Job.id < before)
    return session.scalars(statement).all()


def jobs_of(session: Session, job_ids: Sequence[UUID]) -> Sequence[Job]:
    """Return the jobs with these ids, in no order; unknown ids are left out."""
    return session.scalars(select(Job).where(Job.id.in_(job_ids))).all()


def cancel(session: Session, job_id: UUID) -> Job:
    """Cancel a job at once; its worker finds its claim superseded and stops.

    Raises:
        NotFound: there is no such job.
        Conflict: it has ended already.
    """
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    if job.status in FINAL:
        raise Conflict(f"job {job_id} has ended already: it is {job.status}")
    job.status = JobStatus.CANCELLED
    job.checkpoint = null()
    job.finished_at = job.updated_at = func.now()
    session.execute(
        text("SELECT procrastinate_cancel_job_v1(:queue_id, false, true)"),
        {"queue_id": job.queue_id},
    )
    session.flush()
    session.refresh(job)
    return job


def silence_of_workers(session: Session) -> timedelta | None:
    """Return how long ago a worker was last heard, or None if none is known."""
    heard = text("SELECT now() - max(last_heartbeat) FROM procrastinate_workers")
    silence: timedelta | None = session.scalar(heard)
    return silence


# What a worker does with a job, under its claim.


def take_up(session: Session, job_id: UUID, *, queue_id: int, worker: str) -> Job | None:
    """Begin the next attempt; return None if the job does not wait under this queue row."""
    statement = (
        update(Job)
        .where(
            Job.id == job_id,
            Job.queue_id == queue_id,
            Job.status.in_(sources(JobStatus.RUNNING)),
        )
        .values(
            status=JobStatus.RUNNING,
            attempt=Job.attempt + 1,
            worker=worker,
            started_at=func.coalesce(Job.started_at, func.now()),
            updated_at=func.now(),
        )
        .returning(Job)
    )
    return session.scalars(statement).one_or_none()


def check_claim(session: Session, claim: Claim) -> None:
    """Check that the claim still holds.

    Raises:
        Superseded: it does not.
    """
    statement = select(Job.id).where(
        Job.id == claim.job_id, Job.attempt == claim.attempt, Job.status == JobStatus.RUNNING
    )
    if session.scalar(statement) is None:
        raise Superseded


def write_progress(session: Session, claim: Claim, progress: dict[str, Any]) -> None:
    """Write how far the job is.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _write(session, claim, progress=progress)


def write_checkpoint(
    session: Session, claim: Claim, checkpoint: dict[str, Any], progress: dict[str, Any]
) -> None:
    """Make a stored checkpoint the one to continue from; the previous one is swept later.

    Args:
        session: of a transaction of its own.
        claim: of the attempt that made it.
        checkpoint: name, sha256 and size of the stored file.
        progress: up to the checkpoint, so that the curve has no gap when the run continues.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _write(session, claim, checkpoint=checkpoint, progress=progress, losses=0)


def succeed(session: Session, claim: Claim, progress: dict[str, Any]) -> None:
    """End the job as succeeded; `set_version` follows in the same transaction.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _end(session, claim, JobStatus.SUCCEEDED, progress=progress)


def set_version(session: Session, claim: Claim, version: int) -> None:
    """Record which version the job became."""
    session.execute(update(Job).where(Job.id == claim.job_id).values(version=version))


def fail(session: Session, claim: Claim, problem: dict[str, Any]) -> None:
    """End the job as failed.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _end(session, claim, JobStatus.FAILED, error=problem)


def hand_back(session: Session, claim: Claim) -> None:
    """Queue the job again, before those that were not begun.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _write(session, claim, status=JobStatus.QUEUED, worker=None)
    _queue_again(session, claim.job_id)


def bury_trainer(session: Session, claim: Claim, reason: str) -> JobStatus:
    """Count a trainer that the job crashed: queue the job again, or fail it at the third.

    Raises:
        Superseded: the claim does not hold any more.
    """
    _write(session, claim, deaths=Job.deaths + 1)
    deaths = session.scalars(select(Job.deaths).where(Job.id == claim.job_id)).one()
    if deaths < MAX_DEATHS:
        hand_back(session, claim)
        return JobStatus.QUEUED
    error = TrainerKilled(f"training crashed its process {deaths} times; the last time {reason}")
    fail(session, claim, error.problem())
    return JobStatus.FAILED


# Rescue: what every worker does now and then for jobs that lost their worker.

_LOST = """
SELECT jobs.id
  FROM jobs
  LEFT JOIN procrastinate_jobs AS place ON place.id = jobs.queue_id
  LEFT JOIN procrastinate_workers AS worker ON worker.id = place.worker_id
 WHERE jobs.status IN ('queued', 'running')
   AND (CAST(:job_id AS uuid) IS NULL OR jobs.id = :job_id)
   AND (place.id IS NULL
        OR place.status NOT IN ('todo', 'doing')
        OR place.status = 'doing'
           AND (worker.id IS NULL OR worker.last_heartbeat < now() - CAST(:stalled AS interval)))
 ORDER BY jobs.id
"""


def lost_jobs(session: Session) -> Sequence[UUID]:
    """Return jobs that neither wait in the queue nor have a living worker."""
    found = session.scalars(text(_LOST), {"job_id": None, "stalled": STALLED_AFTER})
    return found.all()


def rescue(session: Session, job_id: UUID) -> JobStatus | None:
    """Queue a lost job again; return None if it is no longer lost or another worker rescues it.

    A job that loses worker after worker without a checkpoint in between finally fails.
    """
    statement = select(Job).where(Job.id == job_id, Job.status.in_(UNFINISHED))
    job = session.scalar(statement.with_for_update(skip_locked=True))
    if job is None:
        return None
    # Checked again under the lock: another worker may just have rescued it.
    again = session.scalar(text(_LOST), {"job_id": job_id, "stalled": STALLED_AFTER})
    if again is None:
        return None
    if job.status == JobStatus.QUEUED:
        _queue_again(session, job_id)
        return JobStatus.QUEUED
    claim = Claim(job_id=job.id, attempt=job.attempt)
    _write(session, claim, losses=Job.losses + 1)
    session.refresh(job)
    if job.losses >= MAX_LOSSES:
        error = WorkersLost(
            f"{job.losses} workers in a row were not heard for {STALLED_AFTER.total_seconds():.0f} "
            "s while they worked on this job; see their logs, or those of their machine"
        )
        fail(session, claim, error.problem())
        return JobStatus.FAILED
    hand_back(session, claim)
    return JobStatus.QUEUED


def delete_forgotten_places(session: Session) -> int:
    """Remove queue rows that lost their worker and belong to no job."""
    statement = text("""
        DELETE FROM procrastinate_jobs AS place
         WHERE place.status <> 'todo'
           AND NOT EXISTS (SELECT FROM jobs WHERE jobs.queue_id = place.id
                              AND jobs.status IN ('queued', 'running'))
           AND NOT EXISTS (SELECT FROM procrastinate_workers AS worker
                            WHERE worker.id = place.worker_id
                              AND worker.last_heartbeat > now() - CAST(:stalled AS interval))
        """)
    result = session.execute(statement, {"stalled": STALLED_AFTER})
    return result.rowcount if isinstance(result, CursorResult) else 0


def referenced_objects(session: Session) -> set[str]:
    """Return the keys in the object store that unfinished jobs still need."""
    checkpoint = Job.checkpoint["sha256"].astext
    statement = select(checkpoint).where(Job.checkpoint.is_not(None), Job.status.in_(UNFINISHED))
    return set(session.scalars(statement))


def _place_in_queue(session: Session, job_id: UUID, *, priority: int) -> int:
    # What Procrastinate's own client executes; importing it takes an api process 50 ms.
    statement = text("""
        SELECT (procrastinate_defer_jobs_v1(ARRAY[ROW(
            :queue, :task, :priority, NULL, NULL, jsonb_build_object('job_id', CAST(:id AS text)),
            NULL
        )::procrastinate_job_to_defer_v1]))[1]
    """)
    values = {"queue": QUEUE, "task": TASK, "priority": priority, "id": str(job_id)}
    place: int = session.scalars(statement, values).one()
    return place


def _queue_again(session: Session, job_id: UUID) -> None:
    place = _place_in_queue(session, job_id, priority=CONTINUED_FIRST)
    session.execute(update(Job).where(Job.id == job_id).values(queue_id=place))


def _write(session: Session, claim: Claim, **values: object) -> None:
    statement = (
        update(Job)
        .where(
            Job.id == claim.job_id, Job.attempt == claim.attempt, Job.status == JobStatus.RUNNING
        )
        .values(updated_at=func.now(), **values)
        .returning(Job.id)
    )
    if session.scalar(statement) is None:
        raise Superseded


def _end(session: Session, claim: Claim, status: JobStatus, **values: object) -> None:
    # Its last checkpoint is no longer needed and is swept from the store.
    _write(session, claim, status=status, finished_at=func.now(), checkpoint=null(), **values)
