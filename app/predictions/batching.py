"""Requests that arrive together share one inference and one commit.

Together means: in one turn of the event loop, or while every connection of the log is committing.
Nothing waits for company, so a lone request is not slowed down; under load the turns fill by
themselves.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, cast, get_args

from pydantic_core import to_json

from app.db.ids import new_wire_id
from app.errors import StepaheadError, Unavailable
from app.observability import Metrics
from app.predictions import series, text
from app.predictions.log import Entry, Group, PredictionLog
from app.predictions.runtime import Loaded
from app.predictions.series import SeriesQuestion
from app.predictions.text import TextQuestion
from app.recipes import Kind

Question = SeriesQuestion | TextQuestion
Outcome = Entry | Exception
Reply = bytes | BaseException  # an answer's JSON, or why there is none

MAX_ROWS_PER_RUN = 1024
# A run with so many takes no further request along: it is committed while the next is computed.
# With two callers of batches of 256 the api was idle for up to a sixth of the time without this.
MANY_ROWS = 256
# Steps and alternatives of one run's answers, about 500 bytes each while they are put together.
MAX_ANSWER_SIZE = 100_000
# Past this an inference leaves the event loop for a thread: a hop costs about 0.1 ms, and a loop
# that stands still holds up everyone.
INLINE_SECONDS = 0.005
# Past this it has threads for its like: a long text is not to hold up batches.
LONG_SECONDS = 0.1
# A row of a shared run costs about this part of a run of its own (LSTM(64), 60 steps, batch 32).
ROW_SHARE = 0.47
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


class Run(NamedTuple):
    """One shared inference."""

    version: Loaded
    tickets: Sequence[Ticket]
    started: float


class Batcher:
    """Collects the tickets of a turn per version and answers them."""

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        self._log = log
        log.on_free = self._start_soon
        self._metrics = metrics
        # prometheus_client takes as long to find a labelled figure as to count in it.
        self._rows_of_kind = {kind: metrics.batch_rows.labels(kind) for kind in get_args(Kind)}
        self._gathering: dict[Loaded, list[Ticket]] = {}
        self._is_starting = False
        self._pending_rows = 0
        self._pending_bytes = 0
        self._pending_seconds = 0.0
        self._all_answered = asyncio.Event()
        # On one core two batches at once would end together, and leave it idle while both are
        # committed: one after the other they made 1.15 times the series a second.
        threads = min(INFERENCE_THREADS, cores())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._long_threads = ThreadPoolExecutor(threads, thread_name_prefix="long-inference")
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
        gathered = self._gathering.get(version)
        if gathered is None:
            gathered = self._gathering[version] = []
        gathered.append(ticket)
        self._pending_rows += 1
        self._pending_bytes += size
        if not self._is_starting:
            self._start_soon()

    def close(self) -> None:
        """End the threads; nothing may be under way."""
        self._threads.shutdown()
        self._long_threads.shutdown()

    async def drained(self) -> None:
        """Return when nothing is under way."""
        while self._pending_rows:
            self._all_answered.clear()
            await self._all_answered.wait()

    def _start_soon(self) -> None:
        """Start at the end of this turn, or as soon as the log can take more.

        To infer what could not be committed yet made smaller runs: 5 % more processor time at 64
        connections.
        """
        if self._gathering and not self._is_starting and self._log.is_free:
            self._is_starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Answer what was gathered: an inference for each version, a commit for all."""
        self._is_starting = False
        gathering, self._gathering = self._gathering, {}
        inferred: list[tuple[Run, Sequence[Outcome]]] = []
        for version, tickets in gathering.items():
            for group in groups_of(tickets):
                run = Run(version, group, time.perf_counter())
                self.runs += 1
                seconds = expected_seconds(version, [ticket.question for ticket in group])
                if seconds > INLINE_SECONDS:
                    self._infer_in_thread(run, seconds)
                    continue
                inferred.append((run, infer(version, group)))
                if len(group) >= MANY_ROWS:
                    self._keep(inferred)
                    inferred = []
        self._keep(inferred)

    def _infer_in_thread(self, run: Run, seconds: float) -> None:
        def keep(future: asyncio.Future[Sequence[Outcome]]) -> None:
            self._pending_seconds -= seconds
            self._keep([(run, future.result())])

        self._pending_seconds += seconds
        loop = asyncio.get_running_loop()
        threads = self._long_threads if seconds > LONG_SECONDS else self._threads
        future = loop.run_in_executor(threads, infer, run.version, run.tickets)
        future.add_done_callback(keep)

    def _keep(self, inferred: Sequence[tuple[Run, Sequence[Outcome]]]) -> None:
        """Have the log keep what was found, and answer then."""
        groups = []
        for run, outcomes in inferred:
            entries = [outcome for outcome in outcomes if isinstance(outcome, Entry)]
            answer = partial(self._answer, run, outcomes, len(entries))
            if entries:
                groups.append(Group(entries, answer))
            else:
                answer(None)
        if groups:
            self._log.write(groups)

    def _answer(
        self, run: Run, outcomes: Sequence[Outcome], entries: int, not_kept: Exception | None
    ) -> None:
        """Answer all of a run; its entries are committed unless it says why not."""
        self._pending_rows -= len(run.tickets)
        self._pending_bytes -= sum(len(ticket.request) for ticket in run.tickets)
        if not self._pending_rows:
            self._all_answered.set()
        seconds = time.perf_counter() - run.started
        for ticket, outcome in zip(run.tickets, outcomes, strict=True):
            if isinstance(outcome, Exception):
                ticket.answer(outcome)
            else:
                ticket.answer(outcome.response if not_kept is None else not_kept)
        # Counted while the answers are on their way.
        self._rows_of_kind[run.version.manifest.kind].observe(len(run.tickets))
        if entries and not_kept is None:
            self._metrics.answered(run.version.model, run.version.number, seconds, entries)


def cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def groups_of(tickets: list[Ticket]) -> Iterator[list[Ticket]]:
    """The tickets in order, in groups that fit one run and its answers into memory.

    What one request asks for stays together if it can.
    """
    if len(tickets) <= MANY_ROWS and (
        sum(ticket.question.answer_size for ticket in tickets) <= MAX_ANSWER_SIZE
    ):
        yield tickets  # as usual
        return
    group: list[Ticket] = []
    size = 0
    for ticket in tickets:
        rows = len(group)
        own = ticket.question.answer_size
        if rows and (
            rows >= MAX_ROWS_PER_RUN
            or size + own > MAX_ANSWER_SIZE
            or (rows >= MANY_ROWS and ticket.request_id != group[-1].request_id)
        ):
            yield group
            group, size = [], 0
        group.append(ticket)
        size += own
    yield group


def infer(version: Loaded, tickets: Sequence[Ticket]) -> Sequence[Outcome]:
    """What goes into the log and out to the callers, in the order of the tickets."""
    try:
        outcomes = answer(version, [ticket.question for ticket in tickets])
        return [
            outcome if isinstance(outcome, Exception) else entry_of(version, ticket, outcome)
            for ticket, outcome in zip(tickets, outcomes, strict=True)
        ]
    except Exception as error:  # noqa: BLE001 - a fault of ours, told to all who wait
        return [error] * len(tickets)


def answer(
    version: Loaded, questions: Sequence[Question]
) -> Sequence[dict[str, object] | StepaheadError]:
    """The answers' own parts, in order, whatever the version's kind."""
    if version.tokenizer is None:
        return series.answer(version, cast("Sequence[SeriesQuestion]", questions))
    return text.answer(version, cast("Sequence[TextQuestion]", questions))


def expected_seconds(version: Loaded, questions: Sequence[Question]) -> float:
    """About what answering these questions takes."""
    if version.tokenizer is None:
        runs = series.runs_needed(version, cast("Sequence[SeriesQuestion]", questions))
    else:
        runs = text.runs_needed(version, cast("Sequence[TextQuestion]", questions))
    return version.run_seconds * runs * (1 + ROW_SHARE * (len(questions) - 1))


def entry_of(version: Loaded, ticket: Ticket, outcome: dict[str, object]) -> Entry:
    """The log's row of an answer; its `response` is the answer's bytes."""
    identifier = new_wire_id()
    model, number, kind = version.model, version.number, version.manifest.kind
    response = to_json(
        {"id": str(identifier), "model": model, "version": number, "kind": kind, **outcome}
    )
    return Entry(
        identifier,
        ticket.request_id,
        model,
        number,
        ticket.alias,
        kind,
        ticket.series,
        ticket.request,
        response,
    )
