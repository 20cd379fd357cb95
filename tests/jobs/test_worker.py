"""Test real worker processes with fake trainers: jobs end, and survive kills."""

import os
import signal
import sys
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from app.jobs import job_log, queue
from app.storage.engine import make_engine
from app.storage.job_status import JobStatus
from app.storage.tables import Job, Version
from tests.database import own_database
from tests.jobs.harness import PATIENCE_SECONDS, Harness, WorkerProcess, eventually
from tests.serving import command_of, descendants, runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def working(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    """Yield a worker that keeps running from test to test, each with its own models."""
    with own_database(cluster) as url:
        engine = make_engine(url)
        harness = Harness(url, engine, tmp_path_factory.mktemp("working"))
        harness.start_worker()
        yield harness
        harness.close()
        engine.dispose()


def test_a_queued_job_becomes_a_version(harness: Harness) -> None:
    job_id = harness.enqueue(epochs=3)
    worker = harness.start_worker()

    job = harness.wait_for(job_id, JobStatus.SUCCEEDED)

    assert job.version == 1
    assert [epoch for _, epoch in harness.epochs()] == [1, 2, 3]
    assert job.progress["epoch"] == 3
    assert [point["epoch"] for point in job.progress["curve"]] == [1, 2, 3]
    with harness.sessions.begin() as session:
        version = session.get_one(Version, ("prices", 1))
        assert version.job_id == job_id
        assert harness.store.get(version.files["model.onnx"]["sha256"]) == b"onnx"
        lines = [line.text for line in job_log.list_notes(session, job_id, limit=100)]
    assert lines[0].startswith("started by worker ")
    assert lines[1:4] == ["training", "epoch 1 of 3: loss 1", "epoch 2 of 3: loss 0.5"]
    assert lines[-2] == "registered as prices, version 1"
    assert lines[-1].startswith("champion: the first version of its model")
    assert worker.terminate() == 0
    assert [path.name for path in (harness.folder / "work").iterdir()] == ["lock"]


def test_a_workers_children_give_way_but_the_worker_does_not(
    harness: Harness, free_port: str
) -> None:
    """Its heartbeats must be punctual even on the busiest machine."""
    worker = harness.start_worker(environment={"STEPAHEAD_WORKER_PORT": free_port})
    url = f"http://127.0.0.1:{free_port}"
    eventually(lambda: probed(f"{url}/readyz") == 200)
    assert probed(f"{url}/livez") == 200
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    children = {name: eventually(lambda: child_of(worker.pid, mark)) for name, mark in CHILDREN}  # noqa: B023
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == ours
    eventually(lambda: os.getpriority(os.PRIO_PROCESS, children["monitoring"]) > ours)
    for pid in children.values():  # the kernel shares cores among sessions
        assert os.getsid(pid) == pid
    assert worker.terminate() == 0
    eventually(lambda: not any(runs(pid) for pid in children.values()))


CHILDREN = (("trainer", "tests.jobs.fake_trainer"), ("monitoring", "app.monitoring.child"))


def child_of(pid: int, mark: str) -> int | None:
    return next((child for child in descendants(pid) if mark in command_of(child)), None)


def probed(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.TransportError:
        return None


@pytest.mark.parametrize("mark", ["fake_trainer", "app.monitoring.child"])
def test_children_of_a_killed_worker_end(harness: Harness, mark: str) -> None:
    worker = harness.start_worker()
    child = eventually(lambda: child_of(worker.pid, mark))
    worker.kill()
    eventually(lambda: not runs(child))


def test_a_killed_monitoring_child_is_started_again(harness: Harness) -> None:
    worker = harness.start_worker()
    child = eventually(lambda: child_of(worker.pid, "app.monitoring.child"))
    os.kill(child, signal.SIGKILL)
    eventually(lambda: child_of(worker.pid, "app.monitoring.child") not in {None, child})
    assert worker.terminate() == 0


def test_jobs_of_one_model_share_two_workers_and_each_gets_a_number(harness: Harness) -> None:
    for _ in range(2):
        harness.start_worker()
    job_ids = [harness.enqueue(epochs=3) for _ in range(12)]

    jobs = [harness.wait_for(job_id, JobStatus.SUCCEEDED) for job_id in job_ids]

    assert sorted(job.version or 0 for job in jobs) == list(range(1, 13))
    assert {job.attempt for job in jobs} == {1}
    assert len({job.worker for job in jobs}) == 2
    assert len(harness.epochs()) == 12 * 3  # each was trained once


def test_a_job_continues_from_its_checkpoint_after_its_worker_was_killed(harness: Harness) -> None:
    job_id = harness.enqueue(epochs=15)
    first = harness.start_worker(epoch_seconds=0.3)
    reached = harness.wait_for_epoch(job_id, 3)
    harness.start_worker()
    first.kill()

    job = harness.wait_for(job_id, JobStatus.SUCCEEDED)

    (first_pid, _), *_ = epochs = harness.epochs()
    continued = [epoch for pid, epoch in epochs if pid != first_pid]
    assert reached.checkpoint is not None
    assert continued[0] > int(reached.checkpoint["name"][:6])
    assert (job.attempt, job.deaths, job.losses, job.version) == (2, 0, 0, 1)


def test_a_job_continues_from_its_checkpoint_after_its_trainer_was_killed(working: Harness) -> None:
    job_id = working.enqueue("killed", epochs=60)
    working.wait_for_epoch(job_id, 3)
    os.kill(working.epochs("killed")[0][0], signal.SIGKILL)

    job = working.wait_for(job_id, JobStatus.SUCCEEDED)

    epochs = [epoch for _, epoch in working.epochs("killed")]
    assert set(epochs) == set(range(1, 61))
    assert len(epochs) < 66  # and none was trained many times
    assert (job.attempt, job.deaths) == (2, 1)
    assert [point["epoch"] for point in job.progress["curve"]] == list(range(1, 61))


def test_a_job_that_kills_its_trainer_three_times_fails_with_the_reason(working: Harness) -> None:
    deadly = working.enqueue("deadly", epochs=5)
    harmless = working.enqueue("harmless", epochs=2)

    job = working.wait_for(deadly, JobStatus.FAILED)

    assert job.error is not None
    assert "3 times" in job.error["detail"]
    assert "SIGKILL" in job.error["detail"]
    assert "memory" not in job.error["detail"]  # the memory is not known to be the cause
    assert job.attempt == 3
    with working.sessions.begin() as session:
        lines = [line.text for line in job_log.list_notes(session, deadly, limit=100)]
    assert len([line for line in lines if "SIGKILL" in line]) == 3
    assert lines[-1] == "failed: this has happened too often"
    working.wait_for(harmless, JobStatus.SUCCEEDED)


def test_a_job_fails_with_the_problem_that_the_trainer_names(working: Harness) -> None:
    job_id = working.enqueue("refusing")

    job = working.wait_for(job_id, JobStatus.FAILED)

    assert job.error is not None
    assert job.error["status"] == 422
    assert job.error["detail"] == "the loss ran away"
    assert job.finished_at is not None
    with working.sessions.begin() as session:
        assert job_log.list_notes(session, job_id, limit=9)[-1].text == "failed: the loss ran away"


def test_a_cancelled_job_stops_and_leaves_the_trainer_warm(working: Harness) -> None:
    job_id = working.enqueue("cancelled", epochs=10_000)
    working.wait_for_epoch(job_id, 2)

    with working.sessions.begin() as session:
        queue.cancel(session, job_id)
    following = working.enqueue("following", epochs=2)
    working.wait_for(following, JobStatus.SUCCEEDED)

    assert working.job(job_id).status == JobStatus.CANCELLED
    assert working.job(job_id).checkpoint is None
    assert working.epochs("following")[0][0] == working.epochs("cancelled")[0][0]


def test_a_trainer_that_does_not_hear_is_replaced_after_a_cancel(working: Harness) -> None:
    job_id = working.enqueue("deaf", epochs=10_000)
    working.wait_for_epoch(job_id, 2)

    with working.sessions.begin() as session:
        queue.cancel(session, job_id)
    following = working.enqueue("next", epochs=2)
    working.wait_for(following, JobStatus.SUCCEEDED)

    deaf = working.epochs("deaf")[0][0]
    assert working.epochs("next")[0][0] != deaf
    assert not is_alive(deaf)


def test_a_cancelled_job_is_not_continued(harness: Harness) -> None:
    cancelled, kept = harness.enqueue("cancelled"), harness.enqueue()
    with harness.sessions.begin() as session:
        queue.cancel(session, cancelled)
    harness.start_worker()

    harness.wait_for(kept, JobStatus.SUCCEEDED)

    assert harness.job(cancelled).status == JobStatus.CANCELLED
    assert harness.job(cancelled).attempt == 0
    assert harness.epochs("cancelled") == []


def test_a_stopped_worker_saves_a_checkpoint_and_returns_its_job(harness: Harness) -> None:
    job_id = harness.enqueue(epochs=20)
    worker = harness.start_worker(epoch_seconds=0.2)
    harness.wait_for_epoch(job_id, 3)

    assert worker.terminate() == 0

    job = harness.job(job_id)
    assert job.status == JobStatus.QUEUED
    assert job.checkpoint is not None
    assert int(job.checkpoint["name"][:6]) == harness.epochs()[-1][1]
    assert (job.attempt, job.deaths, job.losses) == (1, 0, 0)
    harness.start_worker()
    harness.wait_for(job_id, JobStatus.SUCCEEDED)
    assert [epoch for _, epoch in harness.epochs()] == list(range(1, 21))


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_straggler_that_wakes_up_cannot_write(harness: Harness, *, in_transaction: bool) -> None:
    job_id = harness.enqueue(epochs=15)
    straggler = harness.start_worker(epoch_seconds=0.3)
    harness.wait_for_epoch(job_id, 3)
    if in_transaction:
        stop_with_a_lock(harness, straggler, job_id)
    else:
        straggler.send(signal.SIGSTOP)
    harness.start_worker(epoch_seconds=0.3)
    eventually(lambda: harness.job(job_id).attempt == 2)

    straggler.send(signal.SIGCONT)
    eventually(lambda: "attempt superseded" in harness.output(0).read_text())

    job = harness.wait_for(job_id, JobStatus.SUCCEEDED)
    assert (job.attempt, job.version) == (2, 1)
    assert job.worker is not None
    assert not job.worker.endswith(f":{straggler.pid}")
    following = [harness.enqueue("following", epochs=12) for _ in range(2)]
    workers = {harness.wait_for(each, JobStatus.SUCCEEDED).worker for each in following}
    assert len(workers) == 2  # the old attempt's worker is useful again


def stop_with_a_lock(harness: Harness, worker: WorkerProcess, job_id: UUID) -> None:
    """Stop a worker in the middle of a transaction that has its job's row locked."""
    waits = text(
        "SELECT count(*) > 0 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def is_waiting() -> bool:
        with harness.sessions() as session:
            return bool(session.scalar(waits))

    with harness.sessions.begin() as session:
        session.scalar(select(Job.id).where(Job.id == job_id).with_for_update())
        eventually(is_waiting)
        worker.send(signal.SIGSTOP)
    # The server gives it the lock now.


def test_a_worker_whose_trainer_cannot_start_says_so_and_ends(harness: Harness) -> None:
    job_id = harness.enqueue()
    worker = harness.start_worker(trainer=[sys.executable, "-c", "raise SystemExit(7)"])

    assert worker.process.wait(PATIENCE_SECONDS) != 0

    assert "TrainerUnavailable: the trainer ended 3 times" in harness.output(0).read_text()
    assert harness.job(job_id).status == JobStatus.QUEUED


def test_a_hung_trainer_does_not_hold_up_the_end_of_a_worker(harness: Harness) -> None:
    job_id = harness.enqueue("deaf", epochs=10_000)
    worker = harness.start_worker()
    harness.wait_for_epoch(job_id, 2)

    assert worker.terminate() == 0

    job = harness.job(job_id)
    assert (job.status, job.deaths) == (JobStatus.QUEUED, 0)
    assert job.checkpoint is not None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
