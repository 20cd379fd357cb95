"""A real disk that gets full: nothing dies, everything says so, and it goes on with more room."""

from pathlib import Path

import httpx
import pytest

from tests.serving import (
    Served,
    command_of,
    descendants,
    is_ready,
    served,
    wait_until,
    with_fake_trainer,
)
from tests.small_disk import filled, small_disk
from tests.test_survival import is_in_training, job_of, start_job, wait_until_succeeded

pytestmark = [pytest.mark.slow, pytest.mark.linux]

BODY = {"model": "google-stock", "history": [778.81, 788.36, 786.08], "series": "x" * 100}
API_PROCESSES = 2


def predicted(url: str) -> httpx.Response:
    return httpx.post(f"{url}/predict", json=BODY, timeout=60)


def not_ready(url: str) -> str:
    """Why the service says that it is not ready; "" if it is."""
    answer = httpx.get(f"{url}/readyz", timeout=30)
    return "" if answer.is_success else str(answer.json()["detail"])


def apis(service: Served) -> list[int]:
    return [pid for pid in descendants(service.process.pid) if "app.cli api" in command_of(pid)]


def test_a_full_disk_kills_nothing_is_told_of_and_heals_by_itself(tmp_path: Path) -> None:
    environment = {**with_fake_trainer(tmp_path), "STEPAHEAD_API_PROCESSES": str(API_PROCESSES)}
    with small_disk() as disk, served(disk / "data", environment=environment) as service:
        url = service.url
        wait_until(lambda: len(apis(service)) == API_PROCESSES)
        before = apis(service)
        assert predicted(url).is_success
        job_id = start_job(url, "walk", epochs=400)
        wait_until(lambda: is_in_training(url, job_id))
        with filled(disk):
            wait_until(lambda: not predicted(url).is_success)
            refused = predicted(url)
            assert refused.status_code == 503
            assert "the database's disk is full" in refused.json()["detail"]
            assert int(refused.headers["Retry-After"]) >= 1
            wait_until(lambda: "disk full" in not_ready(url))
            wait_until(lambda: "the database's disk is full" in not_ready(url))
            upload = httpx.post(f"{url}/datasets", files={"file": ("a.csv", "value\n1\n2\n")})
            assert upload.status_code == 507
            assert "disk full" in upload.json()["detail"]
            wait_until(lambda: "no job is taken" in service.output)
            assert job_of(url, job_id)["status"] in {"queued", "running"}
        wait_until(lambda: is_ready(url))
        wait_until(lambda: predicted(url).is_success)
        assert apis(service) == before
        wait_until_succeeded(url, job_id)
        log = httpx.get(f"{url}/jobs/{job_id}/log", timeout=30).text
        assert "the disk of its worker is full: queued again" in log
