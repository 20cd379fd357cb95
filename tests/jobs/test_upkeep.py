import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from procrastinate import App, SyncPsycopgConnector
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from app.jobs import queue
from app.jobs.upkeep import Rescuer, sweep_store
from app.storage.engine import make_engine
from app.storage.job_status import JobStatus
from tests.jobs.harness import Harness, eventually
from tests.registry.samples import registered, stored_files


def age(folder: Path, *, by: timedelta) -> None:
    moment = (datetime.now(UTC) - by).timestamp()
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


def test_the_sweep_keeps_what_datasets_jobs_and_versions_need(harness: Harness) -> None:
    job_id = harness.enqueue()
    job = harness.job(job_id)
    checkpoint = harness.store.put_bytes(b"checkpoint")
    files = stored_files(harness.store)
    with harness.sessions.begin() as session:
        registered(session, "kept", files=files)
        assert job.queue_id is not None
        taken = queue.take_up(session, job_id, queue_id=job.queue_id, worker="test:1")
        assert taken is not None
        claim = queue.Claim(job_id=job_id, attempt=taken.attempt)
        stored = {"name": "c", "sha256": checkpoint.sha256, "size": checkpoint.size}
        queue.write_checkpoint(session, claim, stored, {})
    forgotten = harness.store.put_bytes(b"forgotten")
    age(harness.folder / "store", by=timedelta(hours=25))
    young = harness.store.put_bytes(b"on its way")

    sweep_store(harness.sessions, harness.store)

    assert not harness.store.exists(forgotten.sha256)
    assert harness.store.exists(young.sha256)
    assert harness.store.exists(checkpoint.sha256)
    assert all(harness.store.exists(each.sha256) for each in files.values())
    with harness.sessions.begin() as session:
        queue.fail(session, claim, {})
    age(harness.folder / "store", by=timedelta(hours=25))
    sweep_store(harness.sessions, harness.store)
    assert not harness.store.exists(checkpoint.sha256)


def lose(harness: Harness) -> None:
    with harness.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))


def test_a_lost_job_is_queued_again(harness: Harness) -> None:
    job_id = harness.enqueue()
    lose(harness)

    Rescuer(harness.sessions).rescue()

    with harness.sessions.begin() as session:
        assert queue.lost_jobs(session) == []
    assert harness.job(job_id).status == JobStatus.QUEUED


def test_after_the_database_was_away_workers_get_time_to_be_heard(harness: Harness) -> None:
    harness.enqueue()
    lose(harness)
    away = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    rescuer = Rescuer(sessionmaker(away))
    rescuer.rescue()
    away.dispose()
    rescuer._sessions = harness.sessions

    rescuer.rescue()

    with harness.sessions.begin() as session:
        assert len(queue.lost_jobs(session)) == 1


def test_a_worker_does_the_chores_that_fall_due(harness: Harness) -> None:
    queued = App(connector=SyncPsycopgConnector())
    with harness.sessions.begin() as session:
        raw = session.connection().connection.driver_connection
        for name in ("sweep_store", "forget_places"):
            queued.configure_task(name, queue="upkeep", connection=raw).defer(timestamp=0)
    harness.start_worker()

    def done() -> bool:
        said = harness.output(0).read_text()
        return "store swept" in said and "queue cleaned" in said

    eventually(done)
    with harness.sessions.begin() as session:
        left = text("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'upkeep'")
        eventually(lambda: session.scalar(left) == 0)
