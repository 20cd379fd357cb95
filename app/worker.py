"""The worker process, from top to bottom: its parts, its queues, its end.

Any number of workers share the queue. Each trains one job at a time, in a thread that talks to a
warm trainer child. Besides, each looks for jobs that lost their worker and takes its turn in
upkeep. What takes processor time runs in child processes, which give way to predictions. This
process does not: its heartbeats must come in time on the busiest machine.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.erasure.retention import erase_what_is_old
from app.jobs import job_log, queue, upkeep
from app.jobs.attempt import Attempt, Means
from app.jobs.log_lines import taken_line
from app.jobs.room import Room
from app.jobs.trainer import Abandoned, Trainer, TrainerUnavailable, command_of
from app.jobs.upkeep import Rescuer
from app.jobs.worker_metrics import WorkerMetrics
from app.jobs.workspace import workspace
from app.process.children import Child, Program
from app.process.cpu_priority import GIVES_WAY, GIVES_WAY_MOST, CpuFloor
from app.process.lifeline import Lifeline
from app.process.listening import listen, location_of
from app.process.observability import get_logger
from app.process.probe import Probe, figures_answer, health_answer
from app.process.programs import child_environment, python_module
from app.process.tracing import tracing_of
from app.storage.connecting import BRIEF_IDLE_SECONDS, AsyncConnection
from app.storage.engine import conninfo, make_engine
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources
from app.storage.schema_version import refuse_newer_at_start

TRAINING_POLL_SECONDS = 0.5  # no LISTEN: it does not survive poolers
UPKEEP = "upkeep"
UPKEEP_POLL_SECONDS = 5.0
HEARTBEAT_SECONDS = 2.0
WATCH_SECONDS = 1.0
SILENCE_SECONDS = 10.0  # of the event loop or the database, before a probe fails
RECONNECT_SECONDS = 2.0
HOURLY = "17 * * * *"
# The trainer's share of the time to stop, for its last checkpoint; storing it takes the rest.
CHECKPOINT_SHARE = 0.6
CHECKPOINT_SECONDS = 8.0  # at most
OVERTIME_SECONDS = 5.0

# The errors of Procrastinate, its pool and SQLAlchemy.
DATABASE_LOST = (ConnectorException, psycopg.OperationalError, OperationalError, PoolTimeout)

logger = get_logger(__name__)


def run_worker(settings: Settings, database_url: str) -> None:
    """Work until SIGTERM or SIGINT, then leave a checkpoint, return the job to the queue and end.

    Args:
        settings: where the store is, where files may lie, how the trainer child is started, how
            long stopping may take.
        database_url: a migrated database.

    Raises:
        TrainerUnavailable: no trainer child can be started here.
        NewerDatabase: a newer Stepahead has used the database.
        CannotListen: `worker_port` is not free.
    """
    logging.getLogger("procrastinate").setLevel(logging.WARNING)  # we log the same, with job ids
    engine = make_engine(
        database_url,
        statement_seconds=settings.statement_seconds,
        idle_seconds=BRIEF_IDLE_SECONDS,  # else a job whose row it locked is rescued much later
    )
    resources = Resources(
        settings=settings,
        database_url=database_url,
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        store=ObjectStore.of(settings),
    )
    with workspace(settings.resolved_data_dir / "work") as folder:
        means = Means(
            sessions=resources.sessions,
            store=resources.store,
            trainer=Trainer(command_of(settings)),
            metrics=WorkerMetrics(),
            tracing=tracing_of("worker"),
            folder=folder,
            room=Room(folder),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            leaving_seconds=min(settings.drain_seconds * CHECKPOINT_SHARE, CHECKPOINT_SECONDS),
        )
        worker = Worker(resources, means)
        try:
            with worker.monitoring(), answering_probes(settings, worker.health, means.metrics):
                asyncio.run(worker.work())
        finally:
            means.trainer.abandon()
            engine.dispose()


@contextmanager
def answering_probes(
    settings: Settings, health: "WorkerHealth", metrics: WorkerMetrics
) -> Iterator[None]:
    """Answer /livez, /readyz and /metrics on `worker_port`, if it is set.

    Raises:
        CannotListen: the port is not free.
    """
    if settings.worker_port is None:
        yield
        return
    routes = {
        "/livez": lambda: health_answer("alive", health.against_living()),
        "/readyz": lambda: health_answer("ready", health.against_work()),
        "/metrics": lambda: figures_answer(metrics.exposition()),
    }
    metrics.watch_turns(health.seconds_since_turn)
    listener = listen(settings.host, settings.worker_port)
    logger.info("answering probes", address=location_of(listener))
    with Probe(listener, routes):
        yield


class WorkerHealth:
    """The state of a worker, for probes from any thread."""

    def __init__(self, trainer: Trainer, room: Room, rescuer: Rescuer) -> None:
        self._trainer = trainer
        self._room = room
        self._rescuer = rescuer
        self._turned_at = time.monotonic()
        self.is_leaving = threading.Event()

    def turn(self) -> None:
        """Note that the event loop turns, which sends the heartbeats."""
        self._turned_at = time.monotonic()

    def seconds_since_turn(self) -> float:
        """Return how long ago the event loop last turned."""
        return time.monotonic() - self._turned_at

    def against_living(self) -> list[str]:
        """Return the reasons why this process should be ended."""
        silence = self.seconds_since_turn()
        return (
            [f"the event loop last turned {silence:.0f} s ago"] if silence > SILENCE_SECONDS else []
        )

    def against_work(self) -> list[str]:
        """Return the reasons why this process cannot train at the moment."""
        reasons = self.against_living()
        if self.is_leaving.is_set():
            reasons.append("this process is stopping")
        reached_at = self._rescuer.reached_at
        if reached_at is None:
            reasons.append("the database has not been reached yet")
        elif (silence := time.monotonic() - reached_at) > SILENCE_SECONDS:
            reasons.append(f"the database was last reached {silence:.0f} s ago")
        if (no_room := self._room.against_work()) is not None:
            reasons.append(no_room)
        if not self._trainer.is_ready:
            reasons.append("the trainer is starting")
        return reasons


class Worker:
    """What runs in the event loop; the work itself is done in threads."""

    def __init__(self, resources: Resources, means: Means) -> None:
        self._means = means
        self._rescuer = Rescuer(means.sessions)
        self.health = WorkerHealth(means.trainer, means.room, self._rescuer)
        self._leaving = self.health.is_leaving
        self._lifeline = Lifeline()
        self._monitoring = Child(monitoring_program(resources, self._lifeline))
        self._floors = (
            (CpuFloor("trainer", GIVES_WAY_MOST), means.trainer),
            (CpuFloor("monitoring", GIVES_WAY), self._monitoring),
        )
        self._deadline_seconds = resources.settings.drain_seconds + OVERTIME_SECONDS
        self._database_url = resources.database_url
        self._is_checked = False  # whether the database was found not to be a newer version's
        self._queue_app = self._make_queue_app(resources)

    @contextmanager
    def monitoring(self) -> Iterator[None]:
        """End the monitoring child afterwards, without waiting: it leaves nothing behind."""
        with self._lifeline:
            try:
                yield
            finally:
                self._monitoring.ask_to_end()

    async def work(self) -> None:
        """Work until told to stop, across losses of the database."""
        working = asyncio.create_task(self._work_and_reconnect())
        turning = asyncio.create_task(self._turn())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, working)
        await asyncio.wait([working])
        turning.cancel()
        if not working.cancelled():
            _raise_plainly(working.exception())
        logger.info("worker ended")

    def _leave(self, working: asyncio.Task[None]) -> None:
        if self._leaving.is_set():
            return
        logger.info("worker is stopping")
        self._leaving.set()
        # Nothing that hangs may delay the end: a lost job is rescued, a hung worker is not.
        overdue = threading.Timer(self._deadline_seconds, os._exit, [os.EX_TEMPFAIL])
        overdue.daemon = True
        overdue.start()
        working.cancel()

    async def _work_and_reconnect(self) -> None:
        while True:
            try:
                await self._work_while_connected()
            except* DATABASE_LOST as lost:
                reason = lost.exceptions[0].__cause__ or lost.exceptions[0]
                logger.warning("database lost, reconnecting", reason=repr(reason))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _work_while_connected(self) -> None:
        if not self._is_checked:
            await asyncio.to_thread(refuse_newer_at_start, self._database_url)
            self._is_checked = True
        async with self._queue_app.open_async(), asyncio.TaskGroup() as group:
            group.create_task(self._serve(UPKEEP, UPKEEP_POLL_SECONDS))
            group.create_task(self._every(WATCH_SECONDS, self._rescuer.rescue))
            group.create_task(self._every(WATCH_SECONDS, self._look_after_trainer))
            # Only once the trainer is warm: another worker's may be warm already.
            await asyncio.to_thread(self._wait_for_trainer)
            group.create_task(self._every(WATCH_SECONDS, self._look_after_monitoring))
            group.create_task(self._serve(queue.QUEUE, TRAINING_POLL_SECONDS))

    async def _turn(self) -> None:
        while True:
            self.health.turn()
            await asyncio.sleep(WATCH_SECONDS)

    async def _serve(self, queue_name: str, poll_seconds: float) -> None:
        await self._queue_app.run_worker_async(
            queues=[queue_name],
            name=queue_name,
            listen_notify=False,
            fetch_job_polling_interval=poll_seconds,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=queue.STALLED_AFTER.total_seconds(),
            shutdown_graceful_timeout=0,
            delete_jobs="always",
            install_signal_handlers=False,
        )
        # It only returns when a query of its own has failed.
        raise ConnectorException

    async def _every(self, seconds: float, look: Callable[[], None]) -> None:
        while True:
            await asyncio.to_thread(look)
            await asyncio.sleep(seconds)

    def _look_after_trainer(self) -> None:
        child = self._means.trainer
        if not child.lock.acquire(blocking=False):
            return  # an attempt has it
        try:
            child.keep_warm()
        finally:
            child.lock.release()

    def _look_after_monitoring(self) -> None:
        if self._monitoring.is_started:
            self._monitoring.tend()
        else:
            self._monitoring.start()
        for floor, child in self._floors:
            floor.look(child.pid)

    def _wait_for_trainer(self) -> None:
        try:
            with self._means.trainer.lock:
                self._means.trainer.wait_ready(self._leaving.is_set)
        except Abandoned:
            return

    def _make_queue_app(self, resources: Resources) -> App:
        connector = PsycopgConnector(
            conninfo=conninfo(resources.database_url, application_name="stepahead worker"),
            connection_class=AsyncConnection,
            min_size=1,
            max_size=4,
        )
        app = App(connector=connector)
        app.task(name=queue.TASK, queue=queue.QUEUE, pass_context=True)(self._train)
        means = self._means
        for name, chore in (
            ("sweep_store", partial(upkeep.sweep_store, means.sessions, means.store)),
            ("forget_places", partial(upkeep.forget_places, means.sessions)),
            ("retention", partial(erase_what_is_old, means.sessions, resources.settings)),
        ):
            task = app.task(name=name, queue=UPKEEP, queueing_lock=name)(_ignoring_time(chore))
            app.periodic(cron=HOURLY)(task)
        return app

    def _train(self, context: JobContext, job_id: str) -> None:
        """Run a job that the queue gave to this worker, in a thread of its own."""
        child, place = self._means.trainer, context.job.id
        if place is None:
            raise ValueError("a task from the queue has a place in it")
        with structlog.contextvars.bound_contextvars(job=job_id), child.lock:
            try:
                child.wait_ready(context.should_abort)
                self._attempt(UUID(job_id), place, context.should_abort)
                # Not before there is room and a warm trainer does this worker take the next job:
                # another worker may have both.
                self._means.room.wait(context.should_abort)
                child.wait_ready(context.should_abort)
            except Abandoned:
                return

    def _attempt(self, job_id: UUID, place: int, is_leaving: Callable[[], bool]) -> None:
        with self._means.sessions.begin() as session:
            job = queue.take_up(session, job_id, queue_id=place, worker=self._means.worker)
            if job is not None:
                job_log.note(session, job_id, taken_line(job))
        if job is None:
            logger.info("job not started: it was cancelled, or another worker has it")
            return
        logger.info("job started", model=job.model, attempt=job.attempt)
        Attempt(means=self._means, job=job, is_leaving=is_leaving).run()


def monitoring_program(resources: Resources, lifeline: Lifeline) -> Program:
    """Return the program of a worker's monitoring child."""
    reading_end = lifeline.reading_end
    return Program(
        name="monitoring",
        command=python_module("app.monitoring.child", "--lifeline", str(reading_end)),
        environment=child_environment(resources.settings, resources.database_url),
        inherited=(reading_end,),
        grace_seconds=1.0,
    )


def _raise_plainly(error: BaseException | None) -> None:
    """Raise what went wrong; of several errors, the one that says why no work is possible."""
    while isinstance(error, BaseExceptionGroup):
        error = (error.subgroup(TrainerUnavailable) or error).exceptions[0]
    if error is not None:
        raise error


def _ignoring_time(chore: Callable[[], None]) -> Callable[..., None]:
    """Return a periodic task that ignores the time at which it was due."""

    def task(timestamp: int) -> None:  # noqa: ARG001 (named by Procrastinate)
        chore()

    return task
