"""Test that requests beyond the limits on open work are refused."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from app.errors import StepaheadError, Unavailable
from app.predictions import log, pending
from app.predictions.batching import Batcher, Ticket
from app.predictions.loaded import Loaded, build
from app.predictions.log import NONE_REFUSED, Group, PredictionLog, Refused
from app.predictions.logged.rows import Entry, Refusal, rows_of
from app.predictions.questions import Reply
from app.predictions.schemas import PredictRequest
from app.predictions.series import ask
from app.process.observability import Metrics
from app.storage.committing import CommittingConnection, Done, Parameters, Statement
from app.storage.ids import new_wire_id
from tests.artifacts import persistence_artifact

KILOBYTE = 1 << 10
ENTRY = Entry(
    id=new_wire_id(),
    request_id="r",
    model="prices",
    version=1,
    alias=None,
    kind="series",
    series=None,
    request=b"{}",
    response=b"{}",
    key=None,
)


class StuckLog(PredictionLog):
    """A database that accepts nothing until it is released."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__("postgresql://nowhere", metrics)
        self.held = 0
        self._stuck: list[Group] = []
        self._takes = False

    def write(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self.held += sum(map(len, group.rows.requests))
            if self._takes:
                asyncio.get_running_loop().call_soon(group.done, NONE_REFUSED)
            else:
                self._stuck.append(group)

    def let_go(self) -> None:
        self._takes = True
        for group in self._stuck:
            group.done(NONE_REFUSED)


@pytest.fixture(scope="module")
def version() -> Loaded:
    artifact = persistence_artifact()
    return build("prices", 1, artifact.manifest, artifact.scorecard, artifact.graph)


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics()


def ticket(version: Loaded, size: int, replies: list[Reply]) -> Ticket:
    question = ask(version, PredictRequest(model="prices", history=[1.0, 2.0, 3.0]))
    return Ticket(
        question=question,
        request_id="r",
        alias=None,
        series=None,
        request=b'"' + b"x" * (size - 2) + b'"',
        key=None,
        answer=replies.append,
        is_gone=lambda: False,
    )


@pytest.mark.parametrize(("size", "held"), [(KILOBYTE, 64), (8 * KILOBYTE, 16)])
def test_an_overload_is_refused_and_what_is_held_stays_within_rows_and_bytes(
    version: Loaded, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, size: int, held: int
) -> None:
    monkeypatch.setattr(pending, "MAX_ROWS", 64)
    monkeypatch.setattr(pending, "MAX_BYTES", 128 * KILOBYTE)

    async def scenario() -> None:
        stuck = StuckLog(metrics)
        batcher = Batcher(stuck, metrics)
        replies: list[Reply] = []
        taken = refused = 0
        for _ in range(20):  # turns of ten times the limit
            for _ in range(32):
                try:
                    batcher.submit(ticket(version, size, replies))
                except Unavailable:
                    refused += 1
                else:
                    taken += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert taken == held
        assert refused == 20 * 32 - held
        assert stuck.held == held * size
        stuck.let_go()
        await batcher.drained()
        assert [type(reply) for reply in replies] == [bytes] * held
        batcher.submit(ticket(version, size, replies))  # there is room again
        await batcher.drained()
        batcher.close()

    asyncio.run(scenario())


def test_a_request_larger_than_the_limit_is_taken_when_it_is_alone(
    version: Loaded, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MAX_BYTES", KILOBYTE)

    async def scenario() -> None:
        stuck = StuckLog(metrics)
        stuck.let_go()
        batcher = Batcher(stuck, metrics)
        replies: list[Reply] = []
        batcher.submit(ticket(version, 2 * KILOBYTE, replies))
        with pytest.raises(StepaheadError):
            batcher.submit(ticket(version, KILOBYTE, replies))
        await batcher.drained()
        assert [type(reply) for reply in replies] == [bytes]
        batcher.close()

    asyncio.run(scenario())


def test_once_all_is_answered_there_is_room_for_as_many_bytes_as_before(
    version: Loaded, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MAX_BYTES", 8 * KILOBYTE)

    async def scenario() -> None:
        waiting = StuckLog(metrics)
        waiting.let_go()
        batcher = Batcher(waiting, metrics)
        for _ in range(3):
            for _ in range(8):
                batcher.submit(ticket(version, KILOBYTE, []))
            with pytest.raises(Unavailable):
                batcher.submit(ticket(version, KILOBYTE, []))
            await batcher.drained()
        batcher.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [None, psycopg.OperationalError("away")])
def test_once_all_is_committed_or_failed_the_log_holds_as_many_bytes_as_before(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr(log, "CONNECTIONS", 1)
    monkeypatch.setattr(log, "MAX_WAITING_BYTES", 8 * KILOBYTE)
    entry = ENTRY._replace(request=b"x" * (KILOBYTE - 2))
    slow = SlowLog(metrics)

    async def scenario() -> None:
        for _ in range(3):
            outcomes: list[Refused] = []
            for _ in range(12):
                slow.write([Group(rows_of([entry]), outcomes.append)])
            assert [type(refused[0]) for refused in outcomes] == [Unavailable] * 4
            slow.connection.end(error)  # of the first caller
            slow.connection.end(error)  # of the others together
            assert len(outcomes) == 12

    asyncio.run(scenario())


def test_refused_calls_in_wait_hold_no_whole_bodies(metrics: Metrics) -> None:
    waiting = PredictionLog("postgresql://nowhere", metrics)
    for _ in range(2 * log.MAX_REFUSED_WAITING):
        waiting.refuse(
            Refusal(
                request_id="r",
                path="/predict",
                status=422,
                problem=b"{}",
                body=b"x" * 100_000,
                key=None,
            )
        )
    held = sum(len(refusal.body) for refusal in waiting._refused)
    assert held == log.MAX_REFUSED_WAITING * log.MAX_REFUSED_BODY


class SlowConnection(CommittingConnection):
    """Records its orders, and commits when it is told to."""

    def __init__(self) -> None:
        super().__init__("postgresql://nowhere")
        self.awake: list[bool] = []
        self.end: Done = print

    def commit_soon(
        self,
        statement: Statement,
        parameters: Parameters,
        done: Done,
        *,
        timeout_seconds: float,
        awake: bool = False,
    ) -> None:
        del statement, parameters, timeout_seconds
        self.awake.append(awake)
        self.end = done


class SlowLog(PredictionLog):
    """A log on one such connection, which everything shares."""

    def __init__(self, metrics: Metrics, *, api_processes: int = 1) -> None:
        self.connection = SlowConnection()
        super().__init__("postgresql://nowhere", metrics, api_processes=api_processes)

    def _connection(self) -> CommittingConnection:
        return self.connection


def _nobody(refused: Refused) -> None:
    del refused


@pytest.mark.parametrize(
    ("cores", "api_processes", "awake"),
    [(4, 1, True), (4, 3, True), (1, 1, False), (4, 4, False), (4, 8, False)],
)
def test_only_a_lone_prediction_keeps_the_loop_awake_and_only_where_a_core_is_left(
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cores: int,
    api_processes: int,
    awake: bool,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    lone = Group(rows_of([ENTRY]), _nobody)
    slow = SlowLog(metrics, api_processes=api_processes)

    async def scenario() -> None:
        slow.write([lone])
        first_ends = slow.connection.end
        slow.write([lone])  # beside another
        slow.connection.end(None)
        first_ends(None)
        slow.write([Group(rows_of([ENTRY, ENTRY]), _nobody)])

    asyncio.run(scenario())
    assert slow.connection.awake == [awake, False, False]
