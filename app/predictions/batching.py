"""Requests that arrive together share one inference and one commit.

Together means: in one turn of the event loop, or while every connection of the log is committing.
Nothing waits for company, so a lone request is not slowed down; under load the turns fill by
themselves.
"""

import asyncio
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import NamedTuple, cast

from pydantic_core import to_json

from app.errors import StepaheadError, Unavailable
from app.predictions import series, text
from app.predictions.log import NONE_REFUSED, Entry, Group, PredictionLog, Refused, Rows, rows_of
from app.predictions.runtime import Loaded
from app.predictions.series import SeriesQuestion
from app.predictions.text import TextQuestion
from app.process.observability import Metrics
from app.storage.ids import new_wire_id

Question = SeriesQuestion | TextQuestion
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


class Inferred(NamedTuple):
    """What a run found."""

    replies: Sequence[Reply]  # of all its rows, in their order
    rows: Rows | None  # those that have an answer; the log is to keep them first


class Run(ABC):
    """What is inferred at once, of one version."""

    def __init__(self, version: Loaded, *, rows: int, size: int) -> None:
        self.version = version
        self.rows = rows
        self.size = size  # bytes of the requests
        self.started = 0.0

    @abstractmethod
    def expected_seconds(self) -> float:
        """About what inferring takes."""

    @abstractmethod
    def infer(self) -> Inferred:
        """What goes into the log and out to the callers."""

    @abstractmethod
    def answer(self, replies: Sequence[Reply]) -> None:
        """Answer the callers, in the order of the rows."""


class TicketRun(Run):
    """Tickets that came together."""

    def __init__(self, version: Loaded, tickets: Sequence[Ticket]) -> None:
        size = sum([len(ticket.request) for ticket in tickets])
        super().__init__(version, rows=len(tickets), size=size)
        self._tickets = tickets

    def expected_seconds(self) -> float:
        """About what inferring takes."""
        return expected_seconds(self.version, [ticket.question for ticket in self._tickets])

    def infer(self) -> Inferred:
        """What goes into the log and out to the callers."""
        return infer(self.version, self._tickets)

    def answer(self, replies: Sequence[Reply]) -> None:
        """Each ticket by itself."""
        for ticket, reply in zip(self._tickets, replies, strict=True):
            ticket.answer(reply)


class Batcher:
    """Collects the tickets of a turn per version and answers them."""

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        self._log = log
        log.on_free = self._start_soon
        self._metrics = metrics
        self._gathering: dict[Loaded, list[Ticket]] = {}
        self._ready_made: list[Run] = []
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
        self._admit(1, len(ticket.request))
        gathered = self._gathering.get(version)
        if gathered is None:
            gathered = self._gathering[version] = []
        gathered.append(ticket)
        if not self._is_starting:
            self._start_soon()

    def submit_run(self, run: Run) -> None:
        """Take a run that is ready made; the same holds for it.

        Raises:
            Unavailable: more is under way than can be answered soon.
        """
        self._admit(run.rows, run.size)
        self._ready_made.append(run)
        self._start_soon()

    def _admit(self, rows: int, size: int) -> None:
        if (
            self._pending_rows >= MAX_PENDING_ROWS
            or self._pending_seconds >= MAX_PENDING_SECONDS
            or (self._pending_rows and self._pending_bytes + size > MAX_PENDING_BYTES)
        ):
            raise Unavailable("more predictions are asked for than can be computed; try again")
        self._pending_rows += rows
        self._pending_bytes += size

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
        is_wanted = (self._gathering or self._ready_made) and not self._is_starting
        if is_wanted and self._log.is_free:
            self._is_starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Answer what was gathered: an inference for each version, a commit for all."""
        self._is_starting = False
        gathering, self._gathering = self._gathering, {}
        ready_made, self._ready_made = self._ready_made, []
        runs = [
            TicketRun(version, group)
            for version, tickets in gathering.items()
            for group in groups_of(tickets)
        ]
        inferred: list[tuple[Run, Inferred]] = []
        for run in (*runs, *ready_made):
            run.started = time.perf_counter()
            self.runs += 1
            seconds = run.expected_seconds()
            if seconds > INLINE_SECONDS:
                self._infer_in_thread(run, seconds)
                continue
            inferred.append((run, _inferred(run)))
            if run.rows >= MANY_ROWS:
                self._keep(inferred)
                inferred = []
        self._keep(inferred)

    def _infer_in_thread(self, run: Run, seconds: float) -> None:
        def keep(future: asyncio.Future[Inferred]) -> None:
            self._pending_seconds -= seconds
            self._keep([(run, future.result())])

        self._pending_seconds += seconds
        loop = asyncio.get_running_loop()
        threads = self._long_threads if seconds > LONG_SECONDS else self._threads
        loop.run_in_executor(threads, _inferred, run).add_done_callback(keep)

    def _keep(self, inferred: Sequence[tuple[Run, Inferred]]) -> None:
        """Have the log keep what was found, and answer then."""
        groups = []
        for run, (replies, rows) in inferred:
            if rows is None:
                self._answer(run, replies, 0, NONE_REFUSED)
            else:
                groups.append(Group(rows, partial(self._answer, run, replies, len(rows.ids))))
        if groups:
            self._log.write(groups)

    def _answer(self, run: Run, replies: Sequence[Reply], logged: int, refused: Refused) -> None:
        """Answer a run.

        Args:
            run: which one.
            replies: of all its rows.
            logged: how many of them the log was given: those that are answers.
            refused: those of the logged rows that are not committed; errors take their place.
        """
        self._pending_rows -= run.rows
        self._pending_bytes -= run.size
        if not self._pending_rows:
            self._all_answered.set()
        seconds = time.perf_counter() - run.started
        if refused:
            numbers = count()
            replies = [
                refused.get(next(numbers), reply) if isinstance(reply, bytes) else reply
                for reply in replies
            ]
        run.answer(replies)
        # Counted while the answers are on their way.
        self._metrics.inferred(run.version.manifest.kind, run.rows)
        if logged > len(refused):
            committed = logged - len(refused)
            self._metrics.answered(run.version.model, run.version.number, seconds, committed)


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


def _inferred(run: Run) -> Inferred:
    try:
        return run.infer()
    except Exception as error:  # noqa: BLE001 - a fault of ours, told to all who wait
        return Inferred([error] * run.rows, None)


def infer(version: Loaded, tickets: Sequence[Ticket]) -> Inferred:
    """What goes into the log and out to the callers, in the order of the tickets."""
    outcomes = answer(version, [ticket.question for ticket in tickets])
    replies: list[Reply] = []
    entries: list[Entry] = []
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        if isinstance(outcome, Exception):
            replies.append(outcome)
        else:
            entry = entry_of(version, ticket, outcome)
            entries.append(entry)
            replies.append(entry.response)
    return Inferred(replies, rows_of(entries) if entries else None)


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
    return runs_seconds(version, runs, rows=len(questions))


def runs_seconds(version: Loaded, runs: int, *, rows: int) -> float:
    """About what so many runs of the graph take."""
    return version.run_seconds * runs * (1 + ROW_SHARE * (rows - 1))


def entry_of(version: Loaded, ticket: Ticket, outcome: dict[str, object]) -> Entry:
    """The log's row of an answer; its `response` is the answer's bytes."""
    identifier = new_wire_id()
    response = to_json(whole_answer(version, str(identifier), outcome))
    return Entry(
        identifier,
        ticket.request_id,
        version.model,
        version.number,
        ticket.alias,
        version.manifest.kind,
        ticket.series,
        ticket.request,
        response,
    )


def whole_answer(
    version: Loaded, identifier: str, outcome: Mapping[str, object]
) -> dict[str, object]:
    """An answer as the caller gets it: what all have, and its own parts."""
    return {
        "id": identifier,
        "model": version.model,
        "version": version.number,
        "kind": version.manifest.kind,
        **outcome,
    }
