"""Test the log while its database is killed, blocked, or cut off."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import select, text

from app.config import Settings
from app.errors import Unavailable
from app.predictions import log, pending
from app.predictions.calls import Predictions
from app.predictions.log import PredictionLog
from app.predictions.logged.partitions import maintain_partitions
from app.predictions.logged.rows import Entry
from app.process.observability import Metrics
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, make_engine
from app.storage.ids import new_wire_id
from app.storage.migrate import upgrade
from app.storage.tables import Prediction, RefusedCall
from tests.artifacts import persistence_artifact
from tests.chaos.proxy import database_proxy
from tests.predictions.written import written
from tests.service import Service, eventually, running_service

BODY: dict[str, object] = {"model": "google-stock", "history": [1.0, 2.0, 3.0]}


class Asking:
    """Callers that send one request after the other until stopped."""

    def __init__(self, service: Service, *, callers: int) -> None:
        self._service = service
        self._stop = threading.Event()
        self.answered: list[str] = []
        self.refused: list[httpx.Response] = []
        self._pool = ThreadPoolExecutor(callers)
        self._calls = [self._pool.submit(self._ask) for _ in range(callers)]

    def _ask(self) -> None:
        while not self._stop.is_set():
            answer = self._service.predict(**BODY)
            if answer.status_code == 200:
                self.answered.append(answer.json()["id"])
            else:
                self.refused.append(answer)

    def end(self) -> None:
        self._stop.set()
        for call in self._calls:
            call.result()
        self._pool.shutdown()


def wait_for_more(growing: Sized, count: int) -> None:
    wanted = len(growing) + count
    eventually(lambda: len(growing) >= wanted)


def logged_ids(service: Service) -> set[str]:
    with service.sessions.begin() as session:
        return {str(identifier) for identifier in session.scalars(select(Prediction.id))}


@pytest.mark.linux
@pytest.mark.slow
def test_no_answered_prediction_is_lost_when_postgresql_is_killed(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        engine = make_engine(postgres.url)
        upgrade(engine)
        engine.dispose()
        with running_service(postgres.url, tmp_path / "api") as service:
            service.register("google-stock", persistence_artifact())
            asking = Asking(service, callers=4)
            for _ in range(2):
                wait_for_more(asking.answered, 20)
                assert postgres.pid is not None
                os.kill(postgres.pid, signal.SIGKILL)
                eventually(lambda: not postgres.alive())
                eventually(lambda: service.client.get("/readyz").status_code == 503)
                wait_for_more(asking.refused, 1)
                postgres.start()
            wait_for_more(asking.answered, 20)
            asking.end()
            eventually(lambda: service.client.get("/readyz").status_code == 200)
            service.engine.dispose()
            assert set(asking.answered) <= logged_ids(service)
            for answer in asking.refused:
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) >= 1


def test_one_commit_without_an_answer_replaces_all_connections(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "COMMIT_SECONDS", 1.0)
    with (
        database_proxy(fresh_database) as (proxy, url),
        running_service(url, tmp_path) as service,
    ):
        service.register("google-stock", persistence_artifact())
        asking = Asking(service, callers=16)
        eventually(lambda: len(open_connections(service)) == log.CONNECTIONS)  # each has committed
        asking.end()
        proxy.freeze()
        assert service.predict(**BODY).status_code == 503
        asking = Asking(service, callers=16)
        wait_for_more(asking.answered, 200)
        asking.end()
        assert asking.refused == []


def open_connections(service: Service) -> list[object]:
    parts: Predictions = service.app.state.predictions
    return [one for one in parts.log._connections if one._open is not None]


def test_cut_connections_lose_nothing_and_are_hardly_noticed(service: Service) -> None:
    asking = Asking(service, callers=4)
    for _ in range(5):
        wait_for_more(asking.answered, 10)
        with service.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'stepahead log'"
                )
            )
    asking.end()
    assert {answer.status_code for answer in asking.refused} <= {503}
    assert set(asking.answered) <= logged_ids(service)


@contextmanager
def blocked_log(service: Service) -> Iterator[None]:
    """Let nothing be inserted within the block."""
    with psycopg.connect(conninfo(service.database_url)) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("limit", ["rows", "bytes"])
def test_more_than_can_be_logged_is_refused_instead_of_kept(
    service: Service, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    assert service.predict(**BODY).status_code == 200
    if limit == "rows":
        monkeypatch.setattr(pending, "MAX_ROWS", 8)
    else:
        monkeypatch.setattr(pending, "MAX_BYTES", 500)
    with ThreadPoolExecutor(32) as pool:
        with blocked_log(service):
            calls = [pool.submit(service.predict, **BODY) for _ in range(32)]
            eventually(lambda: sum(call.done() for call in calls) >= 12)
            early = [call.result().status_code for call in calls if call.done()]
        statuses = [call.result().status_code for call in calls]
    assert set(early) == {503}
    assert set(statuses) == {200, 503}
    assert len(logged_ids(service)) == 1 + statuses.count(200)


def test_the_log_holds_no_more_than_its_limit_while_the_database_is_slow(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path)
    engine = make_engine(fresh_database)
    maintain_partitions(engine, settings)
    engine.dispose()
    monkeypatch.setattr(log, "MAX_WAITING_BYTES", 500)

    async def write() -> list[BaseException | None]:
        prediction_log = PredictionLog(fresh_database, Metrics())
        async with prediction_log.running():
            async with await psycopg.AsyncConnection.connect(conninfo(fresh_database)) as blocking:
                await blocking.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
                calls = [asyncio.create_task(written(prediction_log, [entry()])) for _ in range(64)]
                await asyncio.sleep(0)
                refused = sum(call.done() for call in calls)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert refused == sum(isinstance(outcome, Unavailable) for outcome in outcomes)
        return outcomes

    outcomes = asyncio.run(write())
    size = len(entry().request) + len(entry().response)
    assert outcomes.count(None) in range(500 // size, 500 // size + log.CONNECTIONS + 1)
    with psycopg.connect(conninfo(fresh_database)) as connection:
        kept = connection.execute("SELECT count(*) FROM predictions").fetchone()
    assert kept == (outcomes.count(None),)


def test_a_database_that_does_not_answer_is_a_503_and_not_an_endless_wait(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.predict(**BODY).status_code == 200
    monkeypatch.setattr(log, "COMMIT_SECONDS", 0.2)
    with blocked_log(service):
        answer = service.predict(**BODY)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert service.predict(**BODY).status_code == 200


def entry(series: str | None = None) -> Entry:
    return Entry(
        id=new_wire_id(),
        request_id="test",
        model="m",
        version=1,
        alias=None,
        kind="series",
        series=series,
        request=b'{"history": [1]}',
        response=b"{}",
        key=None,
    )


def test_without_a_partition_for_the_day_nothing_is_answered(fresh_database: str) -> None:
    async def write() -> None:
        prediction_log = PredictionLog(fresh_database, Metrics())
        async with prediction_log.running():
            with pytest.raises(Unavailable):
                await written(prediction_log, [entry()])

    asyncio.run(write())


def test_refused_calls_are_logged_with_what_was_sent(service: Service) -> None:
    service.predict(model="google-stock", history=[1, "2"])
    service.client.post(
        "/predict",
        content=b"\xff\x00" + b"x" * 10_000,
        headers={"Content-Type": "application/json", "X-Request-Id": "mine"},
    )

    def rows() -> list[RefusedCall]:
        with service.sessions.begin() as session:
            return list(session.scalars(select(RefusedCall).order_by(RefusedCall.id)))

    eventually(lambda: len(rows()) == 2)
    wrong, broken = rows()
    assert (wrong.path, wrong.status) == ("/predict", 422)
    assert wrong.problem["errors"][0]["field"] == "history.1"
    assert wrong.body is not None
    assert '"google-stock"' in wrong.body
    assert (broken.status, broken.request_id) == (400, "mine")
    assert broken.body is not None
    assert len(broken.body) <= 4096 + len("\\u0000")
