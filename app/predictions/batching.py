"""Answer requests that arrive together with one inference and one commit.

"Together" means in the same turn of the event loop, or while every connection of the log is
committing. No request waits for others, so a lone request is not delayed; under load the turns fill
up by themselves.
"""

import asyncio
import math
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import NamedTuple

from pydantic_core import to_json

from app.errors import StepaheadError
from app.predictions.loaded import Loaded
from app.predictions.log import (
    NONE_REFUSED,
    Group,
    PredictionLog,
    Refused,
)
from app.predictions.logged.rows import Entry, Rows, rows_of
from app.predictions.pending import SHORT_SECONDS, Load, Pending
from app.predictions.questions import CallerGone, Question, Reply, Work
from app.process.observability import Metrics
from app.storage.ids import new_wire_id

# A run with this many rows takes no further request: it is committed while the next is computed.
# Without this, two callers with batches of 256 left the api idle for up to a sixth of the time.
MANY_ROWS = 256
# Steps and alternatives in the answers of one run, about 500 bytes each while they are assembled.
MAX_ANSWER_SIZE = 20_000
# An inference that takes longer leaves the event loop for a thread: the switch costs about 0.1 ms,
# but a blocked loop delays everyone.
INLINE_SECONDS = SHORT_SECONDS
# One that takes even longer has threads of its own kind, so that a long text does not delay
# batches. It is worked on in slices, in turn with others.
LONG_SECONDS = 0.1
SLICE_SECONDS = 0.05
INFERENCE_THREADS = 2


class Ticket(NamedTuple):
    """A question that is being answered."""

    question: Question
    request_id: str
    alias: str | None
    series: str | None
    request: bytes  # the original JSON
    key: str | None  # name of the caller's key
    answer: Callable[[Reply], None]  # called once
    is_gone: Callable[[], bool]  # whether the caller has disconnected


class Inferred(NamedTuple):
    """The result of a run."""

    replies: Sequence[Reply]  # of all rows, in order
    rows: Rows | None  # number of replies that are answers, which the log commits first


class Run(ABC):
    """Questions for one version that are answered together."""

    rows = 0
    size = 0  # size of the requests in bytes
    answer_size = 0
    added_seconds = 0.0  # the sum of what its rows add to a run
    seconds = 0.0  # its approximate time, because a single row takes longer than it adds
    pending: Pending | None = None  # where it is counted

    def __init__(self, version: Loaded) -> None:
        self.version = version
        self.started = 0.0
        self._work: Work[Inferred] | None = None

    @property
    def load(self) -> Load:
        """The cost of answering it."""
        return Load(self.rows, self.size, self.answer_size, self.added_seconds)

    @abstractmethod
    def work(self) -> Work[Inferred]:
        """Compute the answers and the rows of the log."""

    @abstractmethod
    def answer(self, replies: Sequence[Reply]) -> None:
        """Answer the callers, in the order of the rows."""

    @abstractmethod
    def is_abandoned(self) -> bool:
        """Return whether all callers have disconnected."""

    def infer(self, *, seconds: float = math.inf) -> Inferred | None:
        """Work for this long; return the result once it is complete."""
        if self._work is None:
            self._work = self.work()
        end = time.perf_counter() + seconds
        try:
            next(self._work)
            while time.perf_counter() < end:
                next(self._work)
        except StopIteration as finished:
            result: Inferred = finished.value
            return result
        except Exception as error:  # noqa: BLE001 - an unexpected error, reported to all callers
            return Inferred([error] * self.rows, None)
        return None

    def give_up(self) -> Inferred:
        """Free what has been computed so far."""
        if self._work is not None:
            self._work.close()
        return Inferred([CallerGone()] * self.rows, None)


class TicketRun(Run):
    """Tickets that arrived together."""

    def __init__(self, version: Loaded) -> None:
        super().__init__(version)
        self._tickets: list[Ticket] = []
        self._most_rows = version.max_rows
        self._most_by_itself = 0.0  # that a ticket takes alone, beyond what it adds

    def take(self, ticket: Ticket) -> bool:
        """Add a ticket if run and answers still fit into memory and are soon done with it.

        The tickets of one request stay together if possible.
        """
        question, tickets = ticket.question, self._tickets
        rows = len(tickets)
        answer_size = self.answer_size + question.answer_size
        if rows and (
            answer_size > MAX_ANSWER_SIZE
            or rows >= self._most_rows
            or (rows >= MANY_ROWS and ticket.request_id != tickets[-1].request_id)
        ):
            return False
        tickets.append(ticket)
        self.size += len(ticket.request)
        self.answer_size = answer_size
        added_seconds = question.added_seconds
        self.added_seconds += added_seconds
        by_itself = question.seconds - added_seconds
        if by_itself > self._most_by_itself:  # noqa: PLR1730 - max takes 0.1 us of every request
            self._most_by_itself = by_itself
        return True

    def close(self) -> None:
        """Complete the costs; no ticket is added after this."""
        self.rows = len(self._tickets)
        self.seconds = self.added_seconds + self._most_by_itself

    def work(self) -> Work[Inferred]:
        """Compute the answers and the rows of the log."""
        questions = [ticket.question for ticket in self._tickets]
        outcomes = yield from questions[0].answer(questions)
        replies: list[Reply] = []
        entries: list[Entry] = []
        for ticket, outcome in zip(self._tickets, outcomes, strict=True):
            if isinstance(outcome, StepaheadError):
                replies.append(outcome)
            else:
                entry = entry_of(ticket, outcome)
                entries.append(entry)
                replies.append(entry.response)
        return Inferred(replies, rows_of(entries) if entries else None)

    def answer(self, replies: Sequence[Reply]) -> None:
        """Answer each ticket separately."""
        for ticket, reply in zip(self._tickets, replies, strict=True):
            ticket.answer(reply)

    def is_abandoned(self) -> bool:
        """Return whether all callers have disconnected."""
        return all(ticket.is_gone() for ticket in self._tickets)


class Batcher:
    """Collects the tickets of a turn in runs, and answers them."""

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        self._log = log
        log.on_free = self._start_soon
        self._metrics = metrics
        self._shared: list[TicketRun] = []
        self._gathering: dict[Loaded, TicketRun] = {}  # runs that can take further tickets
        self._complete: list[Run] = []
        self._is_starting = False
        self._short, self._long = Pending(), Pending()
        self._all_answered = asyncio.Event()
        # On one core, two batches at the same time would end together and leave the core idle while
        # both are committed. One after the other, they made 1.15 times as many series a second.
        threads = min(INFERENCE_THREADS, cores())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._long_threads = ThreadPoolExecutor(threads, thread_name_prefix="long-inference")
        self.runs = 0  # number of shared inferences, for tests

    def submit(self, ticket: Ticket) -> None:
        """Accept a ticket; its `answer` is called once the prediction is committed, or has failed.

        Raises:
            Unavailable: there is more open work than can be answered soon.
        """
        question = ticket.question
        self._short.admit(1, len(ticket.request), question.answer_size, question.added_seconds)
        version = question.version
        run = self._gathering.get(version)
        if run is None or not run.take(ticket):
            run = self._gathering[version] = TicketRun(version)
            run.pending = self._short
            run.take(ticket)
            self._shared.append(run)
        if not self._is_starting:
            self._start_soon()

    def submit_apart(self, tickets: Sequence[Ticket]) -> None:
        """Accept tickets that together take long, in runs without other callers' tickets.

        Raises:
            Unavailable: more is under way than can be answered soon.
        """
        runs: dict[Loaded, list[TicketRun]] = {}
        for ticket in tickets:
            own = runs.setdefault(ticket.question.version, [])
            if not own or not own[-1].take(ticket):
                own.append(TicketRun(ticket.question.version))
                own[-1].take(ticket)
        apart = [run for own in runs.values() for run in own]
        for run in apart:
            run.close()
        self.submit_runs(apart)

    def submit_runs(self, runs: Sequence[Run]) -> None:
        """Accept complete runs, all or none.

        Raises:
            Unavailable: there is more open work than can be answered soon.
        """
        is_long = sum([run.seconds for run in runs]) > LONG_SECONDS
        pending = self._long if is_long else self._short
        loads = [run.load for run in runs]
        pending.admit(*Load._make([sum(parts) for parts in zip(*loads, strict=True)]))
        for run in runs:
            run.pending = pending
        self._complete += runs
        self._start_soon()

    def close(self) -> None:
        """End the threads; there must be no open work."""
        self._threads.shutdown()
        self._long_threads.shutdown()

    @property
    def pending_rows(self) -> int:
        """Count the rows that are not answered yet."""
        return self._short.rows + self._long.rows

    async def drained(self) -> None:
        """Return when everything has been answered."""
        while self.pending_rows:
            self._all_answered.clear()
            await self._all_answered.wait()

    def _start_soon(self) -> None:
        """Start at the end of this turn, or as soon as the log can accept more.

        Computing what could not be committed yet made runs smaller: 5 % more processor time at 64
        connections.
        """
        is_wanted = (self._shared or self._complete) and not self._is_starting
        if is_wanted and self._log.is_free:
            self._is_starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Answer what was collected: an inference for each run, a commit for all."""
        self._is_starting = False
        shared, self._shared = self._shared, []
        complete, self._complete = self._complete, []
        self._gathering.clear()
        for gathered in shared:
            gathered.close()
        inferred: list[tuple[Run, Inferred]] = []
        for run in (*shared, *complete):
            run.started = time.perf_counter()
            self.runs += 1
            if run.seconds > INLINE_SECONDS:
                self._infer_in_thread(run)
                continue
            now = run.infer()
            if now is not None:  # always the case without a time limit
                inferred.append((run, now))
            if run.rows >= MANY_ROWS:
                self._commit(inferred)
                inferred = []
        self._commit(inferred)

    def _infer_in_thread(self, run: Run) -> None:
        """Let a thread work on a run for a slice of time, after those that are already waiting."""
        if run.is_abandoned():
            self._commit([(run, run.give_up())])
            return
        threads = self._long_threads if run.seconds > LONG_SECONDS else self._threads
        infer = partial(run.infer, seconds=SLICE_SECONDS)
        future = asyncio.get_running_loop().run_in_executor(threads, infer)
        future.add_done_callback(partial(self._slice_done, run))

    def _slice_done(self, run: Run, future: asyncio.Future[Inferred | None]) -> None:
        inferred = future.result()
        if inferred is None:
            self._infer_in_thread(run)
        else:
            self._commit([(run, inferred)])

    def _commit(self, inferred: Sequence[tuple[Run, Inferred]]) -> None:
        """Let the log commit the rows, then answer."""
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
            run: to answer.
            replies: of all its rows.
            logged: number of replies that were passed to the log, because they are answers.
            refused: logged rows that are not committed, with the errors that replace their answers.
        """
        if run.pending is not None:
            run.pending.release(run.load)
        if not self.pending_rows:
            self._all_answered.set()
        seconds = time.perf_counter() - run.started
        if refused:
            numbers = count()
            replies = [
                refused.get(next(numbers), reply) if isinstance(reply, bytes) else reply
                for reply in replies
            ]
        run.answer(replies)
        # Counted while the answers are being sent.
        self._metrics.inferred(run.version.manifest.kind, run.rows)
        if logged > len(refused):
            committed = logged - len(refused)
            self._metrics.answered(run.version.model, run.version.number, seconds, committed)


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def entry_of(ticket: Ticket, outcome: dict[str, object]) -> Entry:
    """Return the log's row of an answer; its `response` is the answer's JSON."""
    version = ticket.question.version
    identifier = new_wire_id()
    return Entry(
        identifier,
        ticket.request_id,
        version.model,
        version.number,
        ticket.alias,
        version.manifest.kind,
        ticket.series,
        ticket.request,
        to_json(version.whole_answer(str(identifier), outcome)),
        ticket.key,
    )
