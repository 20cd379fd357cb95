"""Test `stepahead serve` as a whole: real processes, real signals."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.process.restarts import KEEPS_DYING
from app.process.stopping import SAME_REQUEST_SECONDS
from tests.serving import (
    WITHOUT_WORKER,
    Served,
    is_ready,
    runs,
    served,
    wait_until,
    with_fake_trainer,
)

pytestmark = [pytest.mark.slow, pytest.mark.linux]


def niceness_of(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def test_it_starts_ends_in_order_starts_again_and_suffers_no_second(place: Path) -> None:
    environment = {**with_fake_trainer(place), "STEPAHEAD_WARM_READER": "1"}
    with served(place / "data", environment=environment) as service:
        assert httpx.get(f"{service.url}/readyz").is_success
        parts = {"api", "worker", "monitoring", "reader", "postgres"}
        wait_until(lambda: parts <= set(service.children()))
        children = service.children()
        assert os.getsid(children["api"]) != os.getsid(children["worker"]) != os.getsid(0)
        neighbours = [children["monitoring"], children["reader"]]
        wait_until(lambda: min(map(niceness_of, neighbours)) > niceness_of(children["api"]))
        assert niceness_of(children["worker"]) == niceness_of(children["api"])
        assert service.end(signal.SIGINT) == 0
        assert not [name for name, pid in children.items() if runs(pid)]
        positions = [
            service.output.index(said) for said in ("Finished server process", "worker ended")
        ]
        assert positions == sorted(positions)
    with served(place / "data", environment=WITHOUT_WORKER) as again:
        assert "Running upgrade" not in again.output
        second = Served(place / "data")
        assert second.process.wait(60) == 1
        second.kill()
        assert "is already served by another Stepahead" in second.output
        assert f"process {again.process.pid} " in second.output
        assert is_ready(again.url)


def test_a_taken_port_is_reported_before_anything_is_started(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Served(place / "data", environment={"STEPAHEAD_PORT": str(port)})
        assert service.process.wait(60) == 1
        service.kill()
    assert f"Error: port {port} on 127.0.0.1 is already in use" in service.output
    assert not (place / "data").exists()


def test_a_part_that_cannot_start_ends_it_with_the_reason(place: Path) -> None:
    broken = place / "broken"
    broken.mkdir()
    (broken / "uvicorn.py").write_text("raise ImportError('no server for this machine')\n")
    service = Served(place / "data", environment={"PYTHONPATH": str(broken), **WITHOUT_WORKER})
    assert service.process.wait(120) == 1
    service.kill()
    told = service.output.rpartition("\nError: ")[2]
    assert told.startswith(
        "api ended 5 times in a row, most recently with exit code 1. Its last output:"
    )
    assert "ImportError: no server for this machine" in told


def test_killed_parts_are_started_again_without_refusing_a_connection(place: Path) -> None:
    with served(place / "data", environment=with_fake_trainer(place)) as service:
        wait_until(lambda: {"api", "worker"} <= set(service.children()))
        before = service.children()
        for name in ("api", "worker"):
            os.kill(before[name], signal.SIGKILL)
        # The supervisor owns the listening socket, so this connection waits for the next api.
        assert httpx.get(f"{service.url}/livez", timeout=60).is_success
        wait_until(lambda: service.children().get("worker", before["worker"]) != before["worker"])
        os.kill(before["postgres"], signal.SIGKILL)
        wait_until(
            lambda: service.children().get("postgres", before["postgres"]) != before["postgres"]
        )
        wait_until(lambda: is_ready(service.url))


def test_a_part_that_keeps_dying_ends_no_other_and_is_reported(place: Path) -> None:
    environment = {"STEPAHEAD_TRAINER_COMMAND": "/nowhere/python"}
    with served(place / "data", environment=environment) as service:
        wait_until(lambda: warnings(service))
        (warning,) = warnings(service)
        assert warning.startswith("worker ended ")
        assert warning.endswith(" times in a row, most recently with exit code 1")
        for _ in range(KEEPS_DYING):
            kill(service, "api")
        wait_until(lambda: is_ready(service.url))
        wait_until(lambda: any("api ended " in warning for warning in warnings(service)))
        assert predicted(service) == 200


def test_a_database_that_keeps_dying_ends_no_other(place: Path) -> None:
    with served(place / "data", environment=WITHOUT_WORKER) as service:
        api = service.children()["api"]
        for _ in range(KEEPS_DYING):
            kill(service, "postgres")
        wait_until(lambda: is_ready(service.url))
        assert service.children()["api"] == api
        wait_until(lambda: any("PostgreSQL ended " in warning for warning in warnings(service)))
        wait_until(lambda: predicted(service) == 200)


def kill(service: Served, part: str) -> None:
    """Kill a part, and wait until it has been restarted."""
    pid = service.children()[part]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: service.children().get(part, pid) != pid)


def warnings(service: Served) -> list[str]:
    answer = httpx.get(f"{service.url}/readyz", timeout=60)
    found: list[str] = answer.json().get("warnings", [])
    return found


def predicted(service: Served) -> int:
    body = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
    return httpx.post(f"{service.url}/predict", json=body, timeout=60).status_code


def test_after_a_kill_of_the_service_itself_its_parts_end_and_the_next_one_recovers(
    place: Path,
) -> None:
    with served(place / "data", environment=with_fake_trainer(place)) as first:
        wait_until(lambda: {"api", "worker", "trainer", "postgres"} <= set(first.children()))
        parts = first.children()
        port = first.url.rpartition(":")[2]
        first.process.kill()
        first.process.wait()
        with served(
            place / "data", environment={"STEPAHEAD_PORT": port, **WITHOUT_WORKER}
        ) as second:
            assert second.url == first.url
            wait_until(lambda: not [name for name, pid in parts.items() if runs(pid)])
            assert is_ready(second.url)


def test_a_second_request_to_stop_does_not_wait(place: Path) -> None:
    with served(
        place / "data", environment={"STEPAHEAD_DRAIN_SECONDS": "600", **WITHOUT_WORKER}
    ) as service:
        host, _, port = service.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as hanging:
            # An upload whose body never arrives: a request that has begun and does not end.
            hanging.sendall(
                b"POST /datasets HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n"
                b"content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
            wait_until(lambda: any((place / "data" / "uploads").rglob("*")))
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in service.output)
            with pytest.raises(subprocess.TimeoutExpired):
                service.process.wait(SAME_REQUEST_SECONDS + 2)
            assert service.end(signal.SIGTERM) == 0
            assert "killed" in service.output


def test_it_works_on_a_database_of_another_server_with_several_processes(
    place: Path, fresh_database: str
) -> None:
    with served(
        place / "data",
        environment={
            "STEPAHEAD_DATABASE_URL": fresh_database,
            "STEPAHEAD_API_PROCESSES": "2",
            **WITHOUT_WORKER,
        },
    ) as service:
        assert "postgres" not in service.children()
        for _ in range(20):  # each on its own connection, so that both processes get some
            assert httpx.get(f"{service.url}/readyz").is_success
        wait_until(lambda: requests_counted(service.url, "/readyz") >= 20)
        assert service.end() == 0


def requests_counted(url: str, path: str) -> float:
    """Sum the requests to a path over all processes, which publish their counts every second."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in httpx.get(f"{url}/metrics").text.splitlines()
        if line.startswith("stepahead_http_requests_total{") and path in line
    )


def test_the_api_alone_runs_on_a_prepared_database(
    place: Path, fresh_database: str, free_port: str
) -> None:
    environment = {"STEPAHEAD_DATABASE_URL": fresh_database, "STEPAHEAD_PORT": free_port}
    clean = {name: value for name, value in os.environ.items() if "STEPAHEAD" not in name}
    migrated = subprocess.run(
        [sys.executable, "-m", "app.cli", "migrate"],
        env={**clean, **environment, "STEPAHEAD_DATA_DIR": str(place / "data")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert migrated.returncode == 0, migrated.stderr
    for processes in ("1", "2"):
        api = Served(
            place / "data",
            arguments=("api",),
            environment={**environment, "STEPAHEAD_API_PROCESSES": processes},
        )
        try:
            wait_until(lambda: is_ready(f"http://127.0.0.1:{free_port}"))
            assert api.end(signal.SIGTERM) == 0
        finally:
            api.kill()
