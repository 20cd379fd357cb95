"""Test which questions share a run, that long ones take turns, and that abandoned ones end."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.errors import FieldError, Unavailable
from app.predictions import batching, pending
from app.predictions.batching import Batcher, Ticket
from app.predictions.loaded import Loaded, build
from app.predictions.log import NONE_REFUSED, Group, PredictionLog
from app.predictions.questions import CallerGone, Outcome, Reply, Work
from app.process.observability import Metrics
from tests.artifacts import persistence_artifact

PATIENCE_SECONDS = 30
LONG = 2 * batching.LONG_SECONDS
SHORT = 2 * batching.INLINE_SECONDS


class WillingLog(PredictionLog):
    """Commits everything in the next turn, and records the rows of each group."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__("postgresql://nowhere", metrics)
        self.groups: list[int] = []

    def write(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self.groups.append(len(group))
            asyncio.get_running_loop().call_soon(group.done, NONE_REFUSED)


@dataclass(kw_only=True)
class Steps:
    """A question with several steps, each of which may have to be released."""

    version: Loaded
    seconds: float = 0.0
    added_seconds: float = 0.0
    answer_size: int = 1
    steps: int = 0
    gate: threading.Semaphore | None = None
    done: list[str] = field(default_factory=list)
    name: str = ""
    is_closed: bool = False

    def what_fits(self, seconds: float) -> FieldError:
        return FieldError(field="steps", message=f"{seconds} s")

    @staticmethod
    def answer(questions: Sequence["Steps"]) -> Work[list[Outcome]]:
        try:
            for question in questions:
                for _ in range(question.steps):
                    if question.gate is not None:
                        assert question.gate.acquire(timeout=PATIENCE_SECONDS)
                    question.done.append(question.name)
                    yield
        except GeneratorExit:
            for question in questions:
                question.is_closed = True
            raise
        return [{"name": question.name} for question in questions]


@pytest.fixture(scope="module")
def version() -> Loaded:
    artifact = persistence_artifact()
    return build("prices", 1, artifact.manifest, artifact.scorecard, artifact.graph)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have long runs share one thread, and take turns after each step."""
    monkeypatch.setattr(batching, "INFERENCE_THREADS", 1)
    monkeypatch.setattr(batching, "SLICE_SECONDS", 0.0)


@dataclass
class Bench:
    """A batcher over a log that commits everything."""

    batcher: Batcher
    log: WillingLog
    replies: list[Reply] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def ticket(self, question: Steps, *, request_id: str = "r", caller: str = "") -> Ticket:
        return Ticket(
            question=question,
            request_id=request_id,
            alias=None,
            series=None,
            request=b"{}",
            key=None,
            answer=self.replies.append,
            is_gone=lambda: caller in self.gone,
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - of a test's own, told by nobody
                await asyncio.sleep(0.001)


def run(scenario: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        metrics = Metrics()
        log = WillingLog(metrics)
        bench = Bench(Batcher(log, metrics), log)
        await scenario(bench)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await bench.batcher.drained()
        bench.batcher.close()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("requests", "groups"),
    [
        ([1] * 256, [256]),
        ([1] * 257, [256, 1]),
        ([200, 200, 200], [400, 200]),  # the questions of one request stay together
        ([1000, 1], [1000, 1]),
        ([1025], [1024, 1]),
    ],
)
def test_rows_of_one_turn_run_in_groups(
    version: Loaded, requests: list[int], groups: list[int]
) -> None:
    async def scenario(bench: Bench) -> None:
        question = Steps(version=version)
        for number, rows in enumerate(requests):
            for _ in range(rows):
                bench.batcher.submit(bench.ticket(question, request_id=str(number)))
        await bench.batcher.drained()
        assert bench.log.groups == groups

    run(scenario)


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([500, 500], [2]),
        ([500, 501], [1, 1]),
        ([3000, 1, 999, 1, 2000], [1, 2, 1, 1]),
    ],
)
def test_answers_of_one_turn_are_put_together_in_groups(
    version: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
    groups: list[int],
) -> None:
    monkeypatch.setattr(batching, "MAX_ANSWER_SIZE", 1000)

    async def scenario(bench: Bench) -> None:
        for size in sizes:
            bench.batcher.submit(bench.ticket(Steps(version=version, answer_size=size)))
        await bench.batcher.drained()
        assert bench.log.groups == groups

    run(scenario)


def test_what_takes_long_holds_up_no_batch(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(0)
        long = Steps(version=version, seconds=LONG, steps=1, gate=gate)
        for _ in range(batching.INFERENCE_THREADS + 1):
            bench.batcher.submit_apart([bench.ticket(long)])
        answered: list[Reply] = []
        soon = bench.ticket(Steps(version=version, seconds=SHORT))
        bench.batcher.submit(soon._replace(answer=answered.append))
        await bench.until(lambda: answered)
        assert not bench.replies
        gate.release(batching.INFERENCE_THREADS + 1)

    run(scenario)


@pytest.mark.usefixtures("one_thread")
def test_long_runs_take_turns(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(0)
        done: list[str] = []
        for name, steps in (("first", 4), ("second", 2)):
            question = Steps(
                version=version, seconds=LONG, steps=steps, gate=gate, done=done, name=name
            )
            bench.batcher.submit_apart([bench.ticket(question)])
        gate.release(6)
        await bench.batcher.drained()
        assert done == ["first", "second", "first", "second", "first", "first"]
        assert [b'"name":"second"' in bytes(reply) for reply in bench.replies] == [True, False]  # type: ignore[arg-type]

    run(scenario)


@pytest.mark.usefixtures("one_thread")
def test_a_long_run_ends_when_its_caller_is_gone(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(1)
        question = Steps(version=version, seconds=LONG, steps=1000, gate=gate)
        bench.batcher.submit_apart([bench.ticket(question, caller="impatient")])
        await bench.until(lambda: question.done)
        bench.gone.add("impatient")
        gate.release()  # at most one further step is running
        await bench.batcher.drained()
        assert [type(reply) for reply in bench.replies] == [CallerGone]
        assert len(question.done) <= 2
        assert question.is_closed
        assert bench.log.groups == []

    run(scenario)


@pytest.mark.usefixtures("one_thread")
def test_what_waits_is_not_begun_when_its_caller_is_gone(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(0)
        first = Steps(version=version, seconds=LONG, steps=1, gate=gate)
        second = Steps(version=version, seconds=LONG, steps=1)
        bench.gone.add("impatient")
        bench.batcher.submit_apart([bench.ticket(first)])
        bench.batcher.submit_apart([bench.ticket(second, caller="impatient")])
        await bench.until(lambda: bench.replies)
        assert [type(reply) for reply in bench.replies] == [CallerGone]
        assert not second.done
        gate.release()

    run(scenario)


@pytest.mark.usefixtures("one_thread")
def test_a_run_goes_on_for_those_who_still_wait(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        question = Steps(version=version, seconds=SHORT, added_seconds=SHORT, steps=3)
        bench.gone.add("impatient")
        for caller in ("impatient", "patient"):
            bench.batcher.submit(bench.ticket(question, caller=caller))
        await bench.batcher.drained()
        assert [type(reply) for reply in bench.replies] == [bytes, bytes]

    run(scenario)


def test_a_fault_in_the_middle_of_a_long_run_is_told_to_its_caller(version: Loaded) -> None:
    class Failing(Steps):
        @staticmethod
        def answer(questions: Sequence[Steps]) -> Work[list[Outcome]]:
            yield
            raise ZeroDivisionError(questions[0].name)

    async def scenario(bench: Bench) -> None:
        for seconds in (LONG, SHORT, 0.0):
            bench.batcher.submit(bench.ticket(Failing(version=version, seconds=seconds)))
            await bench.batcher.drained()
        assert [type(reply) for reply in bench.replies] == [ZeroDivisionError] * 3

    run(scenario)


def test_long_requests_past_the_limit_are_refused_and_short_ones_are_not(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(0)
        third = pending.MAX_SECONDS / 3
        long = Steps(version=version, seconds=third, added_seconds=third, steps=1, gate=gate)
        for _ in range(3):
            bench.batcher.submit_apart([bench.ticket(long)])
        with pytest.raises(Unavailable):
            bench.batcher.submit_apart([bench.ticket(long)])
        bench.batcher.submit(bench.ticket(Steps(version=version)))
        await bench.until(lambda: bench.replies)
        gate.release(3)
        await bench.batcher.drained()
        bench.batcher.submit_apart([bench.ticket(long)])  # there is room again
        gate.release()
        await bench.batcher.drained()
        assert [type(reply) for reply in bench.replies] == [bytes] * 5

    run(scenario)


@pytest.mark.parametrize(
    ("limit", "of_long"), [("MAX_ROWS", {}), ("MAX_ANSWERS", {"answer_size": 4})]
)
def test_long_requests_that_fill_a_limit_leave_room_for_short_ones(
    version: Loaded, monkeypatch: pytest.MonkeyPatch, limit: str, of_long: dict[str, int]
) -> None:
    monkeypatch.setattr(pending, limit, 4)

    async def scenario(bench: Bench) -> None:
        gate = threading.Semaphore(0)
        long = Steps(version=version, seconds=LONG, steps=1, gate=gate, **of_long)  # type: ignore[arg-type]
        rows = 1 if of_long else 4
        bench.batcher.submit_apart([bench.ticket(long)] * rows)
        with pytest.raises(Unavailable):
            bench.batcher.submit_apart([bench.ticket(long)])
        bench.batcher.submit(bench.ticket(Steps(version=version)))
        await bench.until(lambda: bench.replies)
        gate.release(rows)

    run(scenario)


def test_answers_under_way_together_are_limited(
    version: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MAX_ANSWERS", 1000)

    async def scenario(bench: Bench) -> None:
        large = Steps(version=version, answer_size=600)
        for _ in range(3):
            bench.batcher.submit(bench.ticket(large))
            with pytest.raises(Unavailable):
                bench.batcher.submit(bench.ticket(large))
            await bench.batcher.drained()  # there is room again
        assert [type(reply) for reply in bench.replies] == [bytes] * 3

    run(scenario)


def test_a_callers_long_batch_shares_no_run_with_others(version: Loaded) -> None:
    async def scenario(bench: Bench) -> None:
        question = Steps(version=version)
        bench.batcher.submit(bench.ticket(question))
        bench.batcher.submit_apart([bench.ticket(question, request_id="long")] * 3)
        bench.batcher.submit(bench.ticket(question))
        await bench.batcher.drained()
        assert sorted(bench.log.groups) == [2, 3]

    run(scenario)
