"""Requests that arrive together share one inference and one commit.

Together means: in one turn of the event loop. Nothing waits for company, so a lone request is not
slowed down; under load the turns fill by themselves.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, get_args

from pydantic_core import to_json

from app.db.ids import new_wire_id
from app.errors import StepaheadError, Unavailable
from app.observability import Metrics
from app.predictions import series, text
from app.predictions.log import Entry, PredictionLog
from app.predictions.runtime import Loaded
from app.predictions.series import SeriesQuestion
from app.predictions.text import TextQuestion
from app.recipes import Kind

Question = SeriesQuestion | TextQuestion
Outcome = Entry | StepaheadError
Reply = bytes | BaseException  # an answer's JSON, or why there is none

MAX_ROWS_PER_RUN = 1024
# Steps and alternatives of one run's answers, about 500 bytes each while they are put together.
MAX_ANSWER_SIZE = 100_000
# Past this an inference leaves the event loop for a thread: a hop costs about 0.1 ms, and a loop
# that stands still holds up everyone.
INLINE_SECONDS = 0.005
# A row of a shared run costs about this part of a run of its own (LSTM(64), 60 steps, batch 32).
ROW_SHARE = 0.3
INFERENCE_THREADS = 2
# Work accepted and not answered yet; past it, 503.
MAX_PENDING_ROWS = 4096
MAX_PENDING_BYTES = 64 << 20  # of their requests, whose histories may be long
MAX_PENDING_SECONDS = 30.0


class Ticket(NamedTuple):
    """A request on its way to its answer."""

    question: Question
    request_id: str
    alias: str | None
    series: str | None
    request: bytes  # JSON as it came
    answer: Callable[[Reply], None]  # called once


class Batcher:
    """Collects the tickets of a turn per version and answers them."""

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        # prometheus_client takes as long to find a labelled figure as to count in it.
        self._rows_of_kind = {kind: metrics.batch_rows.labels(kind) for kind in get_args(Kind)}
        self._gathering: dict[Loaded, list[Ticket]] = {}
        self._tasks: set[asyncio.Task[list[Reply]]] = set()
        self._pending_rows = 0
        self._pending_bytes = 0
        self._pending_seconds = 0.0
        self._threads = ThreadPoolExecutor(INFERENCE_THREADS, thread_name_prefix="inference")
        self.runs = 0  # shared inferences, for tests of what is shared

    def submit(self, version: Loaded, ticket: Ticket) -> None:
        """Take a ticket; its `answer` is called once the prediction is committed, or failed.

        Raises:
            Unavailable: more is under way than can be answered soon.
        """
        size = len(ticket.request)
        if (
            self._pending_rows >= MAX_PENDING_ROWS
            or self._pending_seconds >= MAX_PENDING_SECONDS
            or (self._pending_rows and self._pending_bytes + size > MAX_PENDING_BYTES)
        ):
            raise Unavailable("more predictions are asked for than can be computed; try again")
        gathering = self._gathering.get(version)
        if gathering is None:
            self._gathering[version] = gathering = []
            asyncio.get_running_loop().call_soon(self._start, version)
        gathering.append(ticket)
        self._pending_rows += 1
        self._pending_bytes += size

    def close(self) -> None:
        """End the threads; nothing may be under way."""
        self._threads.shutdown()

    async def drained(self) -> None:
        """Return when nothing is under way."""
        while self._tasks or self._gathering:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _start(self, version: Loaded) -> None:
        tickets = self._gathering.pop(version)
        for group in groups_of(tickets):
            task = asyncio.create_task(self._answer(version, group))
            self._tasks.add(task)
            task.add_done_callback(partial(self._finish, group))

    def _finish(self, tickets: list[Ticket], task: asyncio.Task[list[Reply]]) -> None:
        """Whatever happened to the group, each of its tickets is answered."""
        self._tasks.discard(task)
        self._pending_rows -= len(tickets)
        self._pending_bytes -= sum(len(ticket.request) for ticket in tickets)
        error = Unavailable("ending") if task.cancelled() else task.exception()
        replies = task.result() if error is None else [error] * len(tickets)
        for ticket, reply in zip(tickets, replies, strict=True):
            ticket.answer(reply)

    async def _answer(self, version: Loaded, tickets: list[Ticket]) -> list[Reply]:
        """What to reply to each; the answers among it are committed."""
        start = time.perf_counter()
        outcomes = await self._infer(version, tickets)
        entries = [outcome for outcome in outcomes if isinstance(outcome, Entry)]
        if entries:
            try:
                await self._log.write(entries)
            except StepaheadError as error:
                return [error if isinstance(outcome, Entry) else outcome for outcome in outcomes]
            seconds = time.perf_counter() - start
            self._metrics.answered(version.model, version.number, seconds, len(entries))
        return [outcome.response if isinstance(outcome, Entry) else outcome for outcome in outcomes]

    async def _infer(self, version: Loaded, tickets: list[Ticket]) -> Sequence[Outcome]:
        """One shared inference: on the loop where it is short, else in a thread."""
        self.runs += 1
        self._rows_of_kind[version.manifest.kind].observe(len(tickets))
        seconds = expected_seconds(version, [ticket.question for ticket in tickets])
        if seconds <= INLINE_SECONDS:
            return infer(version, tickets)
        self._pending_seconds += seconds
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, infer, version, tickets)
        finally:
            self._pending_seconds -= seconds


def groups_of(tickets: list[Ticket]) -> Iterator[list[Ticket]]:
    """The tickets in order, in groups that fit one run and its answers into memory."""
    group: list[Ticket] = []
    size = 0
    for ticket in tickets:
        own = ticket.question.answer_size
        if group and (len(group) >= MAX_ROWS_PER_RUN or size + own > MAX_ANSWER_SIZE):
            yield group
            group, size = [], 0
        group.append(ticket)
        size += own
    yield group


def infer(version: Loaded, tickets: list[Ticket]) -> Sequence[Outcome]:
    """What goes into the log and out to the callers, in the order of the tickets."""
    outcomes = answer(version, [ticket.question for ticket in tickets])
    return [
        outcome if isinstance(outcome, StepaheadError) else entry_of(version, ticket, outcome)
        for ticket, outcome in zip(tickets, outcomes, strict=True)
    ]


def answer(
    version: Loaded, questions: Sequence[Question]
) -> Sequence[dict[str, object] | StepaheadError]:
    """The answers' own parts, in order, whatever the version's kind."""
    forecasts = [question for question in questions if isinstance(question, SeriesQuestion)]
    if forecasts:
        return series.answer(version, forecasts)
    return text.answer(version, [one for one in questions if isinstance(one, TextQuestion)])


def expected_seconds(version: Loaded, questions: Sequence[Question]) -> float:
    """About what answering these questions takes."""
    forecasts = [question for question in questions if isinstance(question, SeriesQuestion)]
    runs = (
        series.runs_needed(version, forecasts)
        if forecasts
        else text.runs_needed(version, [one for one in questions if isinstance(one, TextQuestion)])
    )
    return version.run_seconds * runs * (1 + ROW_SHARE * (len(questions) - 1))


def entry_of(version: Loaded, ticket: Ticket, outcome: dict[str, object]) -> Entry:
    """The log's row of an answer; its `response` is the answer's bytes."""
    identifier = new_wire_id()
    response = to_json(
        {
            "id": str(identifier),
            "model": version.model,
            "version": version.number,
            "kind": version.manifest.kind,
            **outcome,
        }
    )
    return Entry(
        id=identifier,
        request_id=ticket.request_id,
        model=version.model,
        version=version.number,
        alias=ticket.alias,
        kind=version.manifest.kind,
        series=ticket.series,
        request=ticket.request,
        response=response,
    )
