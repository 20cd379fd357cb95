from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.jobs import queue
from app.recipes.resolve import resolve_recipe
from app.storage.ids import new_id
from app.storage.job_status import JobStatus
from app.storage.tables import Dataset, Job
from app.terminal.commands.lists import run_jobs
from tests.service import Service


def enqueue(service: Service, model: str) -> UUID:
    stored = service.store.put_bytes(new_id().bytes)
    with service.sessions.begin() as session:
        dataset = Dataset(
            id=new_id(),
            sha256=stored.sha256,
            read_options="{}",
            content_sha256=stored.sha256,
            kind="series",
            filename="prices.csv",
            size_bytes=stored.size,
            report={},
        )
        session.add(dataset)
        session.flush()
        job = queue.enqueue(
            session,
            model=model,
            kind="series",
            dataset_id=dataset.id,
            recipe=resolve_recipe("series", {"preset": "chapter"}),
        )
        return job.id


def test_jobs_are_listed_newest_first_in_pages(service: Service) -> None:
    ids = [str(enqueue(service, "listed")) for _ in range(3)]

    first = service.client.get("/jobs", params={"model": "listed", "limit": 2}).json()
    second = service.client.get("/jobs", params={"model": "listed", "cursor": first["next"]}).json()

    assert [job["id"] for job in [*first["items"], *second["items"]]] == ids[::-1]
    assert second["next"] is None


def test_jobs_are_filtered_by_status(service: Service) -> None:
    kept, cancelled = enqueue(service, "filtered"), enqueue(service, "filtered")
    service.client.post(f"/jobs/{cancelled}/cancel")

    def listed(status: str) -> list[str]:
        found = service.client.get("/jobs", params={"model": "filtered", "status": status})
        return [job["id"] for job in found.json()["items"]]

    assert listed("queued") == [str(kept)]
    assert listed("cancelled") == [str(cancelled)]
    assert listed("running") == []
    assert service.client.get("/jobs", params={"status": "lost"}).status_code == 422


def test_a_queued_job_is_cancelled_at_once_and_only_once(service: Service) -> None:
    job_id = enqueue(service, "cancelled")

    answer = service.client.post(f"/jobs/{job_id}/cancel")
    again = service.client.post(f"/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["finished_at"] is not None
    assert again.status_code == 409
    assert "cancelled" in again.json()["detail"]
    lines = service.client.get(f"/jobs/{job_id}/log").json()["items"]
    assert [line["text"] for line in lines] == ["cancelled"]
    with service.sessions() as session:
        places = session.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE args->>'job_id' = :id"),
            {"id": str(job_id)},
        )
    assert places == 0


def test_the_terminal_tells_what_happened(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = str(enqueue(service, "told"))

    run_jobs(service.url, job_id, follow_it=False, cancel=True, limit=1, as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{job_id} trains told: cancelled"
    assert lines[-1].split()[-1] == "cancelled"


def test_an_unknown_job_is_a_404(service: Service) -> None:
    unknown = uuid4()
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/log")):
        assert service.client.request(method, f"/jobs/{unknown}{path}").status_code == 404
    assert service.client.get("/jobs/7").status_code == 422


def test_a_job_that_nobody_works_on_says_so(service: Service) -> None:
    job_id = enqueue(service, "waiting")

    def note() -> object:
        return service.client.get(f"/jobs/{job_id}").json()["note"]

    def heard(seconds_ago: int) -> None:
        with service.sessions.begin() as session:
            session.execute(text("DELETE FROM procrastinate_workers"))
            session.execute(
                text(
                    "INSERT INTO procrastinate_workers (last_heartbeat) "
                    "VALUES (now() - make_interval(secs => :seconds))"
                ),
                {"seconds": seconds_ago},
            )

    assert note() is None  # it has only just been queued
    heard(42)
    assert note() == "no worker has been alive for 40 s"
    heard(200)
    assert note() == "no worker has been alive for 3 min"
    heard(1)
    assert note() is None
    service.client.post(f"/jobs/{job_id}/cancel")
    heard(42)
    assert note() is None


def test_jobs_are_counted_by_status(service: Service) -> None:
    enqueue(service, "counted")
    with service.sessions() as session:
        counts = {
            status: session.query(Job).filter_by(status=status).count() for status in JobStatus
        }

    assert counts[JobStatus.QUEUED] > 0
    metrics = service.client.get("/metrics").text
    for status, count in counts.items():
        assert f'stepahead_jobs{{status="{status}"}} {count}' in metrics
