"""Let the object store be slow, fail, hang or return wrong bytes; predictions continue."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import httpx
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.object_store import ObjectStore
from tests.chaos.kept import kept_by
from tests.chaos.load import Load, walk
from tests.chaos.proxy import Proxy
from tests.chaos.table import TIMES, row
from tests.fake_s3 import Bucket, environment_of, running_s3
from tests.places import open_place
from tests.serving import WITHOUT_WORKER, Served, is_ready, served, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(600)]

URL = "s3://bucket/stepahead"
TIMEOUT_SECONDS = "2"
SLOW_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A service, its database, and its store behind a proxy."""

    service: Served
    server: EmbeddedPostgres
    bucket: Bucket
    proxy: Proxy

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.bucket.pause_seconds = SLOW_SECONDS
        yield
        self.bucket.pause_seconds = 0.0

    @contextmanager
    def failing(self) -> Iterator[None]:
        self.bucket.status, self.bucket.code = 503, "SlowDown"
        yield
        self.bucket.status, self.bucket.code = 200, ""

    @contextmanager
    def silent(self) -> Iterator[None]:
        self.proxy.freeze(new_too=True)
        yield
        self.proxy.cut()
        self.proxy.thaw()

    @contextmanager
    def damaged(self) -> Iterator[None]:
        self.bucket.changes_bytes = True
        yield
        self.bucket.changes_bytes = False

    def kept(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        for variable, value in environment_of(f"http://127.0.0.1:{self.proxy.port}").items():
            monkeypatch.setenv(variable, value)
        return kept_by(self.server.url, ObjectStore.open(URL))

    def upload(self) -> httpx.Response:
        files = {"file": walk()}
        return httpx.post(f"{self.service.url}/datasets", files=files, timeout=60)


@pytest.fixture(scope="module")
def stored() -> Iterator[Stored]:
    with (
        open_place() as place,
        running_s3() as (url, bucket),
        Proxy(lambda: socket.create_connection(address_of(url))) as proxy,
        EmbeddedPostgres(place / "database") as server,
        served(
            place / "data",
            environment={
                **WITHOUT_WORKER,
                **environment_of(f"http://127.0.0.1:{proxy.port}"),
                "STEPAHEAD_DATABASE_URL": server.url,
                "STEPAHEAD_STORE_URL": URL,
                "STEPAHEAD_STORE_TIMEOUT_SECONDS": TIMEOUT_SECONDS,
            },
        ) as service,
    ):
        yield Stored(service=service, server=server, bucket=bucket, proxy=proxy)


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


Fault = Callable[[Stored], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("fault", "name", "is_told"),
    [
        (Stored.slow, "store slow", False),
        (Stored.failing, "store failing", True),
        (Stored.silent, "connections to the store stop forwarding", True),
    ],
    ids=["slow", "failing", "silent"],
)
def test_predictions_go_on_without_a_store_and_no_upload_is_lost(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, fault: Fault, name: str, *, is_told: bool
) -> None:
    counted = row(name)
    load = Load(stored.service.url)
    with load.running():
        for _ in range(min(TIMES, 3)):
            wait_until(lambda: stored.upload().is_success)
            with counted.trying():
                with fault(stored):
                    load.wait_for_more()
                    if is_told:
                        wait_until(lambda: not is_ready(stored.service.url))
                    upload = stored.upload()
                    assert upload.is_success or upload.status_code == 503, upload.text
                    if upload.is_success:
                        counted.acknowledged.add(upload.json()["id"])
                load.wait_for_more()
                wait_until(lambda: stored.upload().is_success)
                wait_until(lambda: is_ready(stored.service.url))
    assert load.failures == []
    counted.acknowledged.update(load.acknowledged)
    counted.count_lost(stored.kept(monkeypatch))
    assert counted.lost == 0


def test_wrong_bytes_are_refused_by_name_and_never_served(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = row("store returning wrong bytes")
    body = {"model": "belling-the-cat", "text": "long ago , the"}
    load = Load(stored.service.url)
    with load.running(), counted.trying():
        with stored.damaged():
            load.wait_for_more()
            answer = httpx.post(f"{stored.service.url}/predict", json=body, timeout=60)
            assert answer.status_code == 500
            assert "of version 1 of 'belling-the-cat' is damaged" in answer.json()["detail"]
        answer = httpx.post(f"{stored.service.url}/predict", json=body, timeout=60)
        assert answer.is_success, answer.text
    assert load.failures == []
    counted.acknowledged.update(load.acknowledged)
    counted.count_lost(stored.kept(monkeypatch))
    assert counted.lost == 0
