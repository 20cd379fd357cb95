from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.jobs import queue
from app.jobs.queue import Claim, Superseded
from app.recipes.resolve import resolve_recipe
from app.storage.ids import new_id
from app.storage.job_status import FINAL, JobStatus
from app.storage.tables import Dataset, Job

PROBLEM = {"type": "t", "title": "x", "status": 500, "detail": "d", "errors": []}


@pytest.fixture
def job(session: Session) -> Job:
    dataset = Dataset(
        id=new_id(),
        sha256=new_id().hex,
        read_options="{}",
        content_sha256="c",
        kind="series",
        filename="f",
        size_bytes=1,
        report={},
    )
    session.add(dataset)
    session.flush()
    return queue.enqueue(
        session,
        model="prices",
        kind="series",
        dataset_id=dataset.id,
        recipe=resolve_recipe("series", None),
    )


def place(session: Session, job: Job) -> str | None:
    """Return the status of the job's current entry in the queue, or None if it is gone."""
    session.refresh(job)
    status = text("SELECT status::text FROM procrastinate_jobs WHERE id = :id")
    found: str | None = session.scalar(status, {"id": job.queue_id})
    return found


def fetch(session: Session, job: Job, *, heard_seconds_ago: int = 0) -> int:
    """Fetch a job as Procrastinate does for a worker, and return its entry."""
    worker = session.scalar(
        text(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - make_interval(secs => :seconds)) RETURNING id"
        ),
        {"seconds": heard_seconds_ago},
    )
    session.execute(
        text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker WHERE id = :id"),
        {"worker": worker, "id": job.queue_id},
    )
    assert job.queue_id is not None
    return job.queue_id


def claim(session: Session, job: Job, *, heard_seconds_ago: int = 0) -> Claim:
    taken = queue.take_up(
        session,
        job.id,
        queue_id=fetch(session, job, heard_seconds_ago=heard_seconds_ago),
        worker="host:1",
    )
    assert taken is not None
    return Claim(job_id=taken.id, attempt=taken.attempt)


def test_a_job_and_its_place_in_the_queue_come_and_go_together(session: Session) -> None:
    jobs, places = (
        select(func.count()).select_from(Job),
        text("SELECT count(*) FROM procrastinate_jobs"),
    )
    before = session.scalar(jobs), session.scalar(places)
    dataset = Dataset(
        id=new_id(),
        sha256="s",
        read_options="{}",
        content_sha256="c",
        kind="series",
        filename="f",
        size_bytes=1,
        report={},
    )

    undone = session.begin_nested()
    session.add(dataset)
    session.flush()
    queue.enqueue(
        session,
        model="prices",
        kind="series",
        dataset_id=dataset.id,
        recipe=resolve_recipe("series", None),
    )
    assert (session.scalar(jobs), session.scalar(places)) != before
    undone.rollback()

    assert (session.scalar(jobs), session.scalar(places)) == before


def test_taking_up_raises_the_attempt(session: Session, job: Job) -> None:
    held = claim(session, job)

    session.refresh(job)
    assert (job.status, job.attempt, job.worker) == (JobStatus.RUNNING, 1, "host:1")
    assert job.started_at is not None
    queue.check_claim(session, held)


def test_a_job_starts_only_from_its_current_queue_entry(session: Session, job: Job) -> None:
    old = fetch(session, job)
    queue.rescue(session, job.id)
    claim_before = claim(session, job)
    queue.hand_back(session, claim_before)
    session.refresh(job)

    assert queue.take_up(session, job.id, queue_id=old, worker="straggler:1") is None
    assert queue.take_up(session, job.id, queue_id=old + 10_000, worker="straggler:1") is None


WRITES: list[Callable[[Session, Claim], object]] = [
    queue.check_claim,
    lambda session, held: queue.write_progress(session, held, {}),
    lambda session, held: queue.write_checkpoint(session, held, {"sha256": "x"}, {}),
    lambda session, held: queue.succeed(session, held, {}),
    lambda session, held: queue.fail(session, held, PROBLEM),
    queue.hand_back,
    lambda session, held: queue.bury_trainer(session, held, "x"),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_superseded_attempt_writes_nothing(
    session: Session, job: Job, write: Callable[[Session, Claim], object]
) -> None:
    held = claim(session, job)
    queue.hand_back(session, held)
    claim(session, job)
    session.refresh(job)
    before = (job.status, job.attempt, job.queue_id, job.updated_at)

    with pytest.raises(Superseded):
        write(session, held)

    session.refresh(job)
    assert (job.status, job.attempt, job.queue_id, job.updated_at) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_cancelled_job_takes_no_more_writes(
    session: Session, job: Job, write: Callable[[Session, Claim], object]
) -> None:
    held = claim(session, job)
    queue.cancel(session, job.id)

    with pytest.raises(Superseded):
        write(session, held)

    session.refresh(job)
    assert job.status == JobStatus.CANCELLED


def test_a_job_that_has_ended_cannot_be_cancelled(session: Session, job: Job) -> None:
    held = claim(session, job)
    queue.succeed(session, held, {})

    with pytest.raises(Conflict, match="succeeded"):
        queue.cancel(session, job.id)


def test_a_job_handed_back_goes_before_those_that_were_not_begun(
    session: Session, job: Job
) -> None:
    queue.hand_back(session, claim(session, job))

    session.refresh(job)
    priority = session.scalar(
        text("SELECT priority FROM procrastinate_jobs WHERE id = :id"), {"id": job.queue_id}
    )
    assert (job.status, priority) == (JobStatus.QUEUED, queue.CONTINUED_FIRST)


def test_the_third_trainer_is_the_last(session: Session, job: Job) -> None:
    ends = []
    for _ in range(queue.MAX_DEATHS):
        ends.append(queue.bury_trainer(session, claim(session, job), "it was ended by SIGKILL"))
        session.refresh(job)

    assert ends == [JobStatus.QUEUED, JobStatus.QUEUED, JobStatus.FAILED]
    assert job.error is not None
    assert job.error["type"] == "/problems/trainer-killed"
    assert "3 times" in job.error["detail"]
    assert job.finished_at is not None


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_job_in_dead_hands_is_rescued(session: Session, job: Job, is_begun: bool) -> None:  # noqa: FBT001
    if is_begun:
        claim(session, job, heard_seconds_ago=11)
    else:
        fetch(session, job, heard_seconds_ago=11)
    old = job.queue_id

    assert queue.lost_jobs(session) == [job.id]
    assert queue.rescue(session, job.id) == JobStatus.QUEUED
    assert queue.rescue(session, job.id) is None

    assert place(session, job) == "todo"
    assert job.queue_id != old
    assert (job.status, job.losses) == (JobStatus.QUEUED, int(is_begun))
    assert queue.lost_jobs(session) == []


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM procrastinate_jobs",
        "UPDATE procrastinate_jobs SET status = 'succeeded'",
        "UPDATE procrastinate_jobs SET status = 'failed'",
        "DELETE FROM procrastinate_workers",
    ],
)
def test_a_job_without_a_queue_entry_is_rescued(session: Session, job: Job, damage: str) -> None:
    claim(session, job)
    session.execute(text(damage))

    assert queue.lost_jobs(session) == [job.id]
    assert queue.rescue(session, job.id) == JobStatus.QUEUED
    assert place(session, job) == "todo"


def test_jobs_that_wait_or_are_worked_on_are_not_lost(session: Session, job: Job) -> None:
    assert queue.rescue(session, job.id) is None
    claim(session, job, heard_seconds_ago=8)
    assert queue.lost_jobs(session) == []
    assert queue.rescue(session, job.id) is None


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_has_ended_is_not_rescued(session: Session, job: Job, status: JobStatus) -> None:
    claim(session, job, heard_seconds_ago=11)
    job.status = status
    session.flush()

    assert queue.lost_jobs(session) == []
    assert queue.rescue(session, job.id) is None


def test_a_job_that_loses_every_worker_fails_in_the_end(session: Session, job: Job) -> None:
    ends = []
    for _ in range(queue.MAX_LOSSES):
        claim(session, job, heard_seconds_ago=11)
        ends.append(queue.rescue(session, job.id))
        session.refresh(job)

    assert ends == [JobStatus.QUEUED] * (queue.MAX_LOSSES - 1) + [JobStatus.FAILED]
    assert job.error is not None
    assert "10 workers" in job.error["detail"]


def test_a_checkpoint_ends_a_row_of_losses(session: Session, job: Job) -> None:
    claim(session, job, heard_seconds_ago=11)
    queue.rescue(session, job.id)
    session.refresh(job)
    held = claim(session, job)

    queue.write_checkpoint(session, held, {"name": "1", "sha256": "kept", "size": 1}, {"epoch": 5})

    session.refresh(job)
    assert (job.losses, job.progress) == (0, {"epoch": 5})
    assert queue.referenced_objects(session) == {"kept"}
    queue.succeed(session, held, {})
    assert queue.referenced_objects(session) == set()


def test_places_that_killed_workers_left_are_removed(session: Session, job: Job) -> None:
    claim(session, job, heard_seconds_ago=11)
    old = job.queue_id
    queue.rescue(session, job.id)

    assert queue.delete_forgotten_places(session) == 1

    left = session.scalars(text("SELECT id FROM procrastinate_jobs")).all()
    assert left == [job.queue_id]
    assert old not in left


def test_places_in_use_are_kept(session: Session, job: Job) -> None:
    claim(session, job)
    assert queue.delete_forgotten_places(session) == 0


def test_the_silence_of_workers_is_measured_from_the_last_heard(session: Session, job: Job) -> None:
    assert queue.silence_of_workers(session) is None
    fetch(session, job, heard_seconds_ago=40)
    silence = queue.silence_of_workers(session)
    assert silence is not None
    assert round(silence.total_seconds()) == 40
    assert isinstance(job.id, UUID)
