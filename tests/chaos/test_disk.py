"""Fill a real disk: no process dies, the reason is given, and freed space is enough to recover."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.chaos.kept import kept_in
from tests.chaos.load import Load, is_in_training, job_of, start_job, wait_until_succeeded
from tests.chaos.table import IMPATIENT, TIMES, Row, row
from tests.serving import (
    WITHOUT_WORKER,
    Served,
    is_ready,
    served,
    wait_until,
    with_fake_trainer,
)
from tests.small_disk import filled, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(600)]

FULL = "the database's disk is full"
BODY = {"model": "google-stock", "history": [778.81, 788.36, 786.08], "series": "x" * 100}
API_PROCESSES = 2
RESERVE_BYTES = str(16 << 20)  # the usual 256 MiB are nearly the whole disk


def test_a_full_disk_kills_nothing_is_told_of_and_heals_by_itself(tmp_path: Path) -> None:
    counted = row("disk full")
    environment = {
        **with_fake_trainer(tmp_path),
        "STEPAHEAD_API_PROCESSES": str(API_PROCESSES),
        "STEPAHEAD_DISK_RESERVE_BYTES": RESERVE_BYTES,
    }
    with small_disk() as disk:
        with served(disk / "data", environment=environment) as service:
            load = Load(service.url)
            with load.running():
                for _ in range(min(TIMES, 3)):
                    load.wait_for_more()
                    with counted.trying():
                        fill_and_free(service, disk, load, counted)
            assert service.end(signal.SIGTERM) == 0
        counted.acknowledged.update(load.acknowledged)
        counted.count_lost(kept_in(disk / "data"))
    assert counted.lost == 0


def test_a_database_that_dies_while_the_disk_is_full_says_so_and_comes_back() -> None:
    counted = row("`kill -9` of postgres while the disk is full")
    with small_disk() as disk:
        with served(disk / "data", environment=WITHOUT_WORKER, program=IMPATIENT) as service:
            load = Load(service.url)
            with load.running(), counted.trying():
                load.wait_for_more()
                with filled(disk):
                    os.kill(service.children()["postgres"], signal.SIGKILL)
                    wait_until(lambda: "PostgreSQL does not start: " in not_ready(service.url))
                    assert "Make room on the disk" in not_ready(service.url)
                counted.took(load.wait_for_more())
                wait_until(lambda: is_ready(service.url))
            assert service.end(signal.SIGTERM) == 0
        counted.acknowledged.update(load.acknowledged)
        counted.count_lost(kept_in(disk / "data"))
    assert counted.lost == 0


def fill_and_free(service: Served, disk: Path, load: Load, counted: Row) -> None:
    url = service.url
    wait_until(lambda: len(service.all_of("api")) == API_PROCESSES)
    apis = service.all_of("api")
    job_id = start_job(url, epochs=200)
    wait_until(lambda: is_in_training(url, job_id))
    load.failures.clear()
    with filled(disk):
        wait_until(lambda: FULL in refused(url))
        wait_until(lambda: FULL in not_ready(url))
        upload = httpx.post(f"{url}/datasets", files={"file": ("a.csv", "value\n1\n2\n")})
        assert upload.status_code == httpx.codes.INSUFFICIENT_STORAGE
        assert "disk full" in upload.json()["detail"]
        wait_until(lambda: service.output.rstrip().count("disk full: no job is taken"))
        assert job_of(url, job_id)["status"] in {"queued", "running"}
    counted.took(load.wait_for_more())
    wait_until(lambda: is_ready(url))
    assert set(load.failures) == {503}
    assert service.all_of("api") == apis
    wait_until_succeeded(url, job_id)
    log = httpx.get(f"{url}/jobs/{job_id}/log", timeout=30).text
    assert "the disk of its worker is full: queued again" in log


def refused(url: str) -> str:
    """Return why a prediction is refused, or "" if it is not."""
    answer = httpx.post(f"{url}/predict", json=BODY, timeout=60)
    return "" if answer.is_success else str(answer.json()["detail"])


def not_ready(url: str) -> str:
    """Return why the service is not ready, or "" if it is."""
    answer = httpx.get(f"{url}/readyz", timeout=30)
    return "" if answer.is_success else str(answer.json()["detail"])
