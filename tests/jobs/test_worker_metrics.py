from app.jobs.worker_metrics import StageClock, WorkerMetrics
from app.storage.job_status import JobStatus


def test_the_time_of_each_stage_is_counted_once() -> None:
    ended: list[str] = []
    clock = StageClock(lambda stage, seconds: ended.append(stage) if seconds >= 0 else None)
    for stage in ("loading", "fitting", "fitting", "judging", None, None):
        clock.see(stage)
    assert ended == ["loading", "fitting", "judging"]


def test_ended_jobs_are_counted_by_how_they_ended() -> None:
    metrics = WorkerMetrics()
    for status in (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.FAILED, None):
        metrics.began()
        metrics.ended(status)
    lines = metrics.exposition().decode().splitlines()
    assert 'stepahead_worker_jobs_total{status="succeeded"} 2.0' in lines
    assert 'stepahead_worker_jobs_total{status="failed"} 1.0' in lines
    assert 'stepahead_worker_jobs_total{status="queued"} 0.0' in lines
    assert "stepahead_worker_busy 0.0" in lines
