"""Test two hosts with an api and a worker each; PostgreSQL and an S3 server are on a third."""

import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.tables import Alias, Job, Prediction, Version
from tests.cluster.network import Host, Network, enter, network, why_not
from tests.places import open_place

logger = logging.getLogger(__name__)
REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

KEY = "the cluster's key"
HEADERS = {"Authorization": f"Bearer {KEY}"}
ASK = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
PATIENCE_SECONDS = 300.0
STEPAHEAD = (sys.executable, "-m", "app.cli")


@dataclass
class Cluster:
    """The hosts and the programs that run on them."""

    net: Network
    first: Host
    second: Host
    database_url: str  # through the unix socket, for the test
    environment: dict[str, str]
    folder: Path
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"
        self.log.mkdir()

    def start(self, host: Host, role: str) -> None:
        folder = self.folder / f"{host.namespace}-{role}"
        host.start(
            *(*STEPAHEAD, role),
            environment={**self.environment, "STEPAHEAD_DATA_DIR": str(folder)},
            log=self.log / f"{host.namespace}-{role}",
        )

    def call(self, host: Host, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401
        def asked() -> httpx.Response:
            url = f"http://{host.address}:8000{path}"
            return httpx.request(method, url, headers=HEADERS, timeout=30, **parts)

        return self.net.ask(asked)

    def is_ready(self, host: Host) -> bool:
        try:
            return self.call(host, "GET", "/readyz").is_success
        except httpx.TransportError:
            return False

    @contextmanager
    def rows(self) -> Iterator[Session]:
        engine = make_engine(self.database_url)
        with Session(engine) as session:
            yield session
        engine.dispose()

    def job(self, job_id: UUID) -> Job:
        with self.rows() as session:
            return session.get_one(Job, job_id)


def eventually(condition: Callable[[], object], what: str) -> float:
    """Wait until a condition holds, and return how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_SECONDS, f"waited in vain until {what}"
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with (
        open_place() as folder,
        EmbeddedPostgres(folder / "postgres") as postgres,
        network(["data", "one", "two"]) as (net, (data, first, second)),
    ):
        url = make_url(postgres.url)
        socket = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
        data.start(
            *(sys.executable, "-m", "tests.cluster.forward", data.address, "5432", socket),
            environment={},
            log=folder / "forward",
        )
        data.start(
            *(sys.executable, "-m", "moto.server", "-H", data.address, "-p", "5000"),
            environment={},
            log=folder / "s3",
        )
        eventually(lambda: has_bucket(net, data.address), "the S3 server answers")
        environment = {
            "STEPAHEAD_DATABASE_URL": f"postgresql://{url.username}@{data.address}/{url.database}",
            "STEPAHEAD_STORE_URL": "s3://bucket/stepahead",
            "STEPAHEAD_API_KEY": KEY,
            "STEPAHEAD_HOST": "0.0.0.0",  # noqa: S104 - of a host that the test made itself
            "AWS_ENDPOINT_URL": f"http://{data.address}:5000",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        made = Cluster(net, first, second, postgres.url, environment, folder)
        first.run(
            *(*STEPAHEAD, "migrate"),
            environment={**environment, "STEPAHEAD_DATA_DIR": str(folder / "migrate")},
        )
        for host in (first, second):
            made.start(host, "api")
        made.start(second, "worker")
        for host in (first, second):
            eventually(lambda host=host: made.is_ready(host), "an api is ready")  # type: ignore[misc]
        yield made


def has_bucket(net: Network, address: str) -> bool:
    def made() -> bool:
        try:
            with urlopen(Request(f"http://{address}:5000/bucket", method="PUT"), timeout=5):
                return True
        except OSError:
            return False

    return net.ask(made)


class Caller(threading.Thread):
    """Sends requests to one host without a pause and keeps the ids of the answers."""

    def __init__(self, cluster: Cluster, host: Host) -> None:
        super().__init__(daemon=True)
        self.answered: list[str] = []
        self.refused = 0
        self._url = f"http://{host.address}:8000"
        self._net = cluster.net
        self._is_enough = threading.Event()

    def run(self) -> None:
        enter(self._net._switch)
        with httpx.Client(base_url=self._url, headers=HEADERS, timeout=5) as client:
            for number in itertools.count():
                if self._is_enough.is_set():
                    return
                try:
                    answer = client.post("/predict", json={**ASK, "series": f"{number}"})
                except httpx.TransportError:
                    self.refused += 1
                    continue
                if answer.is_success:
                    self.answered.append(answer.json()["id"])
                else:
                    self.refused += 1

    def stop(self) -> None:
        self._is_enough.set()
        self.join(60)


def prices(rows: int) -> str:
    lines = [f"2020-{1 + day // 28:02d}-{1 + day % 28:02d},{100 + day}" for day in range(rows)]
    return "date,price\n" + "\n".join(lines) + "\n"


def order(cluster: Cluster, host: Host, model: str, *, epochs: int) -> UUID:
    answer = cluster.call(
        host,
        "POST",
        f"/models/{model}/train",
        files={"file": ("prices.csv", prices(300))},
        data={"recipe": f'{{"preset": "chapter", "epochs": {epochs}}}'},
    )
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"])


def test_what_is_uploaded_on_one_host_is_trained_on_the_other_and_served_by_both(
    cluster: Cluster,
) -> None:
    job_id = order(cluster, cluster.first, "shared", epochs=3)
    eventually(lambda: cluster.job(job_id).status == "succeeded", "the job succeeds")
    body = {"model": "shared", "history": [101.0, 102.0, 103.0]}
    answers = [
        cluster.call(host, "POST", "/predict", json=body).json()["predictions"]
        for host in (cluster.first, cluster.second)
    ]
    assert answers[0] == answers[1]


def test_a_host_that_is_cut_off_loses_nothing_and_doubles_nothing(cluster: Cluster) -> None:
    job_id = order(cluster, cluster.first, "cut", epochs=100_000)
    eventually(lambda: cluster.job(job_id).progress.get("epoch"), "the training is under way")
    worker = cluster.job(job_id).worker
    callers = [Caller(cluster, host) for host in (cluster.first, cluster.second)]
    for caller in callers:
        caller.start()
    eventually(lambda: all(len(caller.answered) > 50 for caller in callers), "both answer")

    cluster.start(cluster.first, "worker")
    cluster.second.cut_off()
    served = len(callers[0].answered)
    took = eventually(lambda: cluster.job(job_id).worker != worker, "the other worker takes over")
    logger.info("taken over after %.1f s", took)
    eventually(lambda: len(callers[0].answered) > served + 50, "the other host goes on answering")

    cluster.second.bring_back()
    back = eventually(lambda: cluster.is_ready(cluster.second), "the host is ready again")
    logger.info("ready again after %.1f s", back)
    again = len(callers[1].answered)
    eventually(lambda: len(callers[1].answered) > again + 20, "it answers again")
    for caller in callers:
        caller.stop()

    answered = [UUID(each) for caller in callers for each in caller.answered]
    with cluster.rows() as session:
        kept = set(session.scalars(select(Prediction.id)))
    assert set(answered) <= kept, "an answered prediction is missing"
    assert len(answered) == len(set(answered))

    assert cluster.call(cluster.first, "POST", f"/jobs/{job_id}/cancel").is_success
    done = order(cluster, cluster.second, "cut", epochs=3)
    eventually(lambda: cluster.job(done).status == "succeeded", "a later job succeeds")
    with cluster.rows() as session:
        versions = session.scalar(
            select(func.count()).select_from(Version).where(Version.model == "cut")
        )
        assert versions == 1  # the stale attempt registered nothing
        assert session.get_one(Alias, ("cut", "champion")).version == 1
