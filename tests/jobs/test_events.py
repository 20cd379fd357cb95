import json
import threading
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from app.jobs import queue
from app.jobs.events import JobWatch
from app.jobs.queue import Claim
from app.storage.tables import Job
from tests.jobs.test_jobs_api import enqueue
from tests.service import Service, eventually, running_service


class Listener:
    """A client that reads one job's events in a thread."""

    def __init__(self, service: Service, job_id: UUID) -> None:
        self.heard: list[dict[str, object]] = []
        self.lines: list[str] = []
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._listen, args=(service.url, job_id), daemon=True)
        self.thread.start()

    def _listen(self, url: str, job_id: UUID) -> None:
        with httpx.stream("GET", f"{url}/jobs/{job_id}/events", timeout=60) as answer:
            for line in answer.iter_lines():
                self.lines.append(line)
                if line.startswith("data: "):
                    self.heard.append(json.loads(line.removeprefix("data: ")))

    def statuses(self) -> list[object]:
        return [job["status"] for job in self.heard]

    def ended(self) -> bool:
        return not self.thread.is_alive()


def take_up(service: Service, job_id: UUID) -> Claim:
    with service.sessions.begin() as session:
        place = session.get_one(Job, job_id).queue_id
        assert place is not None
        job = queue.take_up(session, job_id, queue_id=place, worker="test:1")
        assert job is not None
        return Claim(job_id=job_id, attempt=job.attempt)


def test_events_follow_a_job_to_its_end(service: Service) -> None:
    job_id = enqueue(service, "followed")
    listener = Listener(service, job_id)
    eventually(lambda: listener.statuses() == ["queued"])

    claim = take_up(service, job_id)
    eventually(lambda: listener.statuses()[-1:] == ["running"])
    with service.sessions.begin() as session:
        queue.write_progress(session, claim, {"stage": "training", "epoch": 3, "curve": []})
    eventually(lambda: listener.heard[-1]["progress"]["epoch"] == 3)  # type: ignore[index]
    with service.sessions.begin() as session:
        queue.fail(
            session, claim, {"type": "t", "title": "x", "status": 422, "detail": "d", "errors": []}
        )

    eventually(listener.ended)
    assert listener.statuses() == ["queued", "running", "running", "failed"]
    assert listener.heard[-1]["error"]["detail"] == "d"  # type: ignore[index]
    assert "curve" not in listener.heard[-1]


def test_a_browser_that_knows_the_end_is_told_not_to_come_again(service: Service) -> None:
    job_id = enqueue(service, "ended")
    service.client.post(f"/jobs/{job_id}/cancel")
    path = f"/jobs/{job_id}/events"

    first = service.client.get(path)
    again = service.client.get(path, headers={"Last-Event-ID": "last"})
    stranger = service.client.get(path, headers={"Last-Event-ID": "something else"})

    assert first.headers["content-type"].startswith("text/event-stream")
    assert first.headers["cache-control"] == "no-store"
    assert "id: last" in first.text
    assert again.status_code == 204
    assert stranger.text == first.text


def test_many_listeners_cost_one_look_at_a_time(service: Service) -> None:
    job_id = enqueue(service, "popular")
    looks = []

    def count(*arguments: object) -> None:
        if "FROM jobs" in str(arguments[2]) and "IN" in str(arguments[2]):
            looks.append(arguments[2])

    engine = service.app.state.resources.engine
    listeners = [Listener(service, job_id) for _ in range(20)]
    eventually(lambda: all(listener.heard for listener in listeners))
    event.listen(engine, "before_cursor_execute", count)
    eventually(lambda: len(looks) >= 3)
    seen = len(looks)
    event.remove(engine, "before_cursor_execute", count)
    service.client.post(f"/jobs/{job_id}/cancel")

    eventually(lambda: all(listener.ended() for listener in listeners))
    assert seen < 10
    assert all(listener.statuses() == ["queued", "cancelled"] for listener in listeners)
    watch: JobWatch = service.app.state.job_watch
    eventually(lambda: not watch._listeners)


def test_streams_end_when_the_process_drains(fresh_database: str, tmp_path: Path) -> None:
    with running_service(fresh_database, tmp_path) as service:
        listener = Listener(service, enqueue(service, "drained"))
        eventually(lambda: listener.heard)

        service.app.state.health.draining.set()

        eventually(listener.ended)
        assert listener.statuses() == ["queued"]


def test_a_silent_stream_is_kept_alive(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.events.KEEPALIVE_SECONDS", 0.1)
    job_id = enqueue(service, "silent")
    listener = Listener(service, job_id)

    eventually(lambda: ": ping" in listener.lines)
    service.client.post(f"/jobs/{job_id}/cancel")
    eventually(listener.ended)
