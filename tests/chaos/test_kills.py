"""Kill processes with -9 in the middle of work; no answered prediction or accepted job is lost."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.kept import kept_in
from tests.chaos.load import Load, is_in_training, start_job, wait_until_succeeded
from tests.chaos.table import IMPATIENT, IN_FULL, TIMES, Row, row
from tests.serving import (
    WITHOUT_WORKER,
    Served,
    is_ready,
    runs,
    served,
    wait_until,
    with_fake_trainer,
)

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(900)]

API_PROCESSES = 2
SHORT_JOB_EPOCHS = 20  # a second of work
# How many processes of each there are. The worker is the last, because its trainer ends with it.
PARTS = {"api": API_PROCESSES, "trainer": 1, "postgres": 1, "worker": 1}


class Density(NamedTuple):
    """How many requests the clients send."""

    clients: int
    pause_seconds: float


LOADS = {"dense": Density(16, 0.0), "sparse": Density(2, 0.1)}


@pytest.mark.parametrize("density", LOADS if IN_FULL else ["dense"])
def test_killed_parts_lose_nothing(place: Path, density: str) -> None:
    rows = {part: row(f"`kill -9` of {part}, {density} load") for part in PARTS}
    environment = {**with_fake_trainer(place), "STEPAHEAD_API_PROCESSES": str(API_PROCESSES)}
    with served(place / "data", environment=environment, program=IMPATIENT) as service:
        load = Load(service.url, **LOADS[density]._asdict(), uploads=True)
        jobs = []
        wait_until(lambda: "trainer ready" in service.output)
        with load.running():
            for _ in range(TIMES):
                load.wait_for_more()
                jobs.append(start_job(service.url, epochs=SHORT_JOB_EPOCHS))
                victims = {part: kill(service, part, load, rows[part]) for part in PARTS}
                for part, victim in victims.items():
                    wait_until(partial(was_restarted, service, part, victim))
                    rows[part].survived += 1
                wait_until(lambda: is_ready(service.url))
            for job_id in jobs:
                wait_until_succeeded(service.url, job_id)
        assert service.end(signal.SIGTERM) == 0
    kept = kept_in(place / "data")
    for each in rows.values():
        each.count_lost(kept)
    assert {part: each.lost for part, each in rows.items()} == dict.fromkeys(PARTS, 0)
    assert len(load.answered) == len(set(load.answered))


def kill(service: Served, part: str, load: Load, counted: Row) -> int:
    """Kill one process and wait until predictions are answered; return the process id."""
    so_far = len(load.acknowledged)
    victim = service.children()[part]
    counted.tried += 1
    os.kill(victim, signal.SIGKILL)
    counted.took(load.wait_for_more())
    counted.acknowledged.update(load.acknowledged[so_far:])
    return victim


def was_restarted(service: Served, part: str, victim: int) -> bool:
    return len(set(service.all_of(part)) - {victim}) >= PARTS[part]


def test_a_killed_service_loses_nothing(place: Path) -> None:
    counted = row("`kill -9` of the whole service")
    environment = with_fake_trainer(place)
    port, jobs = "0", []
    for _ in range(min(TIMES, 3)):
        again = {"STEPAHEAD_PORT": port, **environment}
        with served(place / "data", environment=again) as service, counted.trying():
            port = service.url.rpartition(":")[2]
            load = Load(service.url)
            with load.running():
                counted.took(load.wait_for_more())
                jobs.append(start_job(service.url))
                wait_until(partial(is_in_training, service.url, jobs[-1]))
                service.process.kill()
                service.process.wait()
            counted.acknowledged.update(load.acknowledged)
    with served(place / "data", environment=environment) as service:
        for job_id in jobs:
            wait_until_succeeded(service.url, job_id)
        assert service.end(signal.SIGTERM) == 0
    counted.count_lost(kept_in(place / "data"))
    assert counted.lost == 0


def test_an_orderly_stop_answers_what_was_begun(place: Path) -> None:
    """Clients only get refused connections; what the service accepted, it answered."""
    counted = row("`SIGTERM`")
    for _ in range(min(TIMES, 5)):
        with served(place / "data", environment=WITHOUT_WORKER) as service:
            load = Load(service.url)
            with load.running(), counted.trying():
                load.wait_for_more()
                assert service.end(signal.SIGTERM) == 0
            assert set(load.failures) <= {"ConnectError"}, load.failures
            counted.acknowledged.update(load.acknowledged)
    kept = kept_in(place / "data")
    counted.count_lost(kept)
    assert counted.acknowledged == kept  # nothing was logged in vain either


def test_a_killed_reader_is_there_again_for_the_next_upload(place: Path) -> None:
    with served(place / "data", environment=with_fake_trainer(place)) as service:
        wait_until_succeeded(service.url, start_job(service.url, epochs=1))
        reader = service.children()["reader"]
        os.kill(reader, signal.SIGKILL)
        wait_until(lambda: not runs(reader))
        wait_until_succeeded(service.url, start_job(service.url, epochs=1))
