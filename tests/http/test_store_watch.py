"""Test an object store that is away: uploads are refused at once, predictions still work."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.fake_s3 import Bucket, environment_of, running_s3
from tests.service import Service, eventually, running_service

CSV = b"Date,Open\n" + b"".join(b"2017-01-%02d,%d.5\n" % (day, day) for day in range(1, 32))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_s3() as (url, held):
        for name, value in environment_of(url).items():
            monkeypatch.setenv(name, value)
        yield held


@pytest.fixture
def service(
    bucket: Bucket, cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    assert not bucket.objects
    folder = tmp_path_factory.mktemp("store-watch")
    with (
        own_database(cluster) as url,
        running_service(
            url, folder, store_url="s3://bucket/prefix", store_timeout_seconds=0.5
        ) as running,
    ):
        running.register("prices", persistence_artifact())
        assert running.predict(model="prices", history=[1, 2, 3]).is_success  # now it is loaded
        yield running


FAILURES = 'stepahead_store_failures_total{operation="%s"}'


def upload(service: Service) -> httpx.Response:
    return service.client.post("/datasets", files={"file": ("prices.csv", CSV)})


def figure(service: Service, name: str) -> float:
    for line in service.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


def readiness(service: Service) -> int:
    return service.client.get("/readyz").status_code


@pytest.mark.parametrize("fault", ["hangs", "fails"])
def test_a_store_that_is_away_is_named_everywhere_and_comes_back(
    service: Service, bucket: Bucket, fault: str
) -> None:
    eventually(lambda: readiness(service) == 200)
    bucket.hangs_after, bucket.status = (0, 200) if fault == "hangs" else (None, 500)
    reason = "it does not answer" if fault == "hangs" else "it answers with an error"

    first = upload(service)

    assert first.status_code == 503, first.text
    assert first.json()["detail"].endswith(
        f"the object store cannot be used at the moment: {reason}"
    )
    # The store may have been found away before the upload came to it.
    failures = [figure(service, FAILURES % operation) for operation in ("put", "probe")]
    assert max(failures) >= 1
    eventually(lambda: readiness(service) == 503)
    assert reason in service.client.get("/readyz").json()["detail"]
    assert figure(service, "stepahead_store_up") == 0

    bucket.hangs_after, bucket.status = None, 200
    bucket.released.set()

    eventually(lambda: readiness(service) == 200)
    assert figure(service, "stepahead_store_up") == 1
    assert upload(service).status_code == 201


def test_predictions_continue_without_the_store_and_readyz_shows_it(
    service: Service, bucket: Bucket
) -> None:
    bucket.status = 500
    eventually(lambda: readiness(service) == 503)

    answer = service.client.get("/readyz?exclude=store")

    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["the object store: it answers with an error"]
    assert service.predict(model="prices", history=[1, 2, 3]).status_code == 200


def test_an_upload_is_refused_before_its_body_while_the_store_is_away(
    service: Service, bucket: Bucket
) -> None:
    bucket.status = 500
    eventually(lambda: readiness(service) == 503)
    host, port = service.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/form-data; boundary=limit\r\n\r\n"
        )
        answer = connection.recv(65536)  # no byte of the body was sent

    assert answer.startswith(b"HTTP/1.1 503 ")


def test_actuals_in_a_file_need_no_store(service: Service, bucket: Bucket) -> None:
    bucket.status = 500
    eventually(lambda: readiness(service) == 503)

    answer = service.client.post(
        "/actuals", files={"file": ("prices.csv", CSV)}, data={"model": "prices", "target": "Open"}
    )

    assert answer.status_code == 200, answer.text
