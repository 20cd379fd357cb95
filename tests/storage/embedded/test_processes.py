"""Test several services in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.config import PROJECT_DIR
from app.storage.embedded.leftovers import postgres_processes
from app.storage.engine import conninfo
from tests.storage.embedded.conftest import Make

Service = subprocess.Popen[str]
Serve = Callable[[str], Service]


@pytest.fixture
def serve(place: Path) -> Iterator[Serve]:
    started: list[Service] = []

    def begin(mode: str) -> Service:
        arguments = [str(place / "data"), str(place / "slots"), mode]
        service = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.embedded.service", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_DIR,
        )
        started.append(service)
        return service

    yield begin
    for service in started:
        service.communicate(timeout=120)


def line(service: Service) -> str:
    assert service.stdout is not None
    return service.stdout.readline()


def outcome(service: Service) -> str:
    """Return the first word of its first line that is not a log line."""
    while True:
        said = line(service)
        if said == "" or said.startswith(("started", "DataDirectory")):
            return said


@pytest.mark.slow
def test_of_services_started_at_once_one_serves_and_the_others_say_so(serve: Serve) -> None:
    services = [serve("hold") for _ in range(3)]
    outcomes = sorted(outcome(service) for service in services)
    assert [said.split()[0] for said in outcomes] == [
        "DataDirectoryInUse",
        "DataDirectoryInUse",
        "started",
    ]
    assert "127.0.0.1:8000" in outcomes[0]


@pytest.mark.slow
def test_after_kill_9_the_next_service_ends_the_orphan_and_has_every_row(
    serve: Serve, make: Make, place: Path
) -> None:
    service = serve("write")
    orphan = int(outcome(service).split()[1])
    last = 0
    while last < 100:
        last = int(line(service))
    service.send_signal(signal.SIGKILL)
    service.wait()
    assert service.stdout is not None
    last = max([last, *(int(said) for said in service.stdout.read().splitlines())])
    os.kill(orphan, 0)  # it survived its service

    embedded = make(place / "data")
    with psycopg.connect(conninfo(embedded.start())) as connection:
        row = connection.execute("SELECT count(*), max(number) FROM acknowledged").fetchone()
    assert row in {(last, last), (last + 1, last + 1)}
    assert orphan not in postgres_processes(place / "data" / "postgres" / "cluster")
