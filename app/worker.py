"""The worker process, from top to bottom: its means, its queues, its way out.

Any number of them share the queue. Each trains one job at a time, in a thread that talks to a warm
trainer child; beside that, each looks for jobs that lost their worker and takes its turn in upkeep.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
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
from app.jobs.trainer import Abandoned, Trainer, TrainerUnavailable, command_of
from app.jobs.upkeep import Rescuer
from app.jobs.workspace import workspace
from app.monitoring.upkeep import Monitoring
from app.process.cpu_priority import GIVES_WAY, give_way
from app.process.observability import get_logger
from app.storage.connecting import AsyncConnection
from app.storage.engine import conninfo, make_engine
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources
from app.storage.schema_version import refuse_newer_at_start

TRAINING_POLL_SECONDS = 0.5  # no LISTEN: it does not survive poolers
UPKEEP = "upkeep"
UPKEEP_POLL_SECONDS = 5.0
HEARTBEAT_SECONDS = 2.0
WATCH_SECONDS = 1.0
SCHEDULE_SECONDS = 15.0
RECONNECT_SECONDS = 2.0
HOURLY = "17 * * * *"
# Of the time to end in, what the trainer has for its last checkpoint; the rest is for storing it.
CHECKPOINT_SHARE = 0.6
CHECKPOINT_SECONDS = 8.0  # at most
OVERTIME_SECONDS = 5.0

# How Procrastinate, its pool and SQLAlchemy say it.
DATABASE_LOST = (ConnectorException, psycopg.OperationalError, OperationalError, PoolTimeout)

logger = get_logger(__name__)


def run_worker(settings: Settings, database_url: str) -> None:
    """Work until SIGTERM or SIGINT, then checkpoint, hand the job back and return.

    Args:
        settings: where the store is, where files may lie, how the trainer child is started, how
            long ending may take.
        database_url: a migrated database.

    Raises:
        TrainerUnavailable: no trainer child can be started here.
        NewerDatabase: a newer Stepahead has used the database.
    """
    logging.getLogger("procrastinate").setLevel(logging.WARNING)  # we say the same, with job ids
    engine = make_engine(database_url)
    resources = Resources(
        settings=settings,
        database_url=database_url,
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        store=ObjectStore.open(settings.resolved_store_url),
    )
    with workspace(settings.resolved_data_dir / "work") as folder:
        means = Means(
            sessions=resources.sessions,
            store=resources.store,
            trainer=Trainer(command_of(settings)),
            folder=folder,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            leaving_seconds=min(settings.drain_seconds * CHECKPOINT_SHARE, CHECKPOINT_SECONDS),
        )
        try:
            asyncio.run(Worker(resources, means).work())
        finally:
            means.trainer.close()
            engine.dispose()


class Worker:
    """What goes on in the event loop; the work itself is done in threads."""

    def __init__(self, resources: Resources, means: Means) -> None:
        self._means = means
        self._monitoring = Monitoring(resources)
        self._rescuer = Rescuer(means.sessions)
        self._leaving = threading.Event()
        self._deadline_seconds = resources.settings.drain_seconds + OVERTIME_SECONDS
        self._database_url = resources.database_url
        self._is_checked = False  # whether the database is not a newer version's
        self._queue_app = self._make_queue_app(resources)

    async def work(self) -> None:
        """Work until told to end, across losses of the database."""
        working = asyncio.create_task(self._work_and_reconnect())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, working)
        await asyncio.wait([working])
        if not working.cancelled():
            _raise_plainly(working.exception())
        logger.info("worker ended")

    def _leave(self, working: asyncio.Task[None]) -> None:
        if self._leaving.is_set():
            return
        logger.info("worker is to end")
        self._leaving.set()
        # Whatever hangs must not hold up the end: a lost job is rescued, a hung worker is not.
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
            group.create_task(self._every(WATCH_SECONDS, self._monitoring.follow))
            group.create_task(self._every(SCHEDULE_SECONDS, self._monitoring.retrain))
            # Not before the trainer is warm: another worker's may be.
            await asyncio.to_thread(self._wait_for_trainer)
            # Not before: where all cores are busy a start would take minutes.
            await asyncio.to_thread(give_way, GIVES_WAY)
            group.create_task(self._serve(queue.QUEUE, TRAINING_POLL_SECONDS))

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
        # It ends by itself when a query of its own has failed.
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
        """The queue's task; runs in a thread of its own."""
        child, place = self._means.trainer, context.job.id
        if place is None:
            raise ValueError("a task from the queue has a place in it")
        with structlog.contextvars.bound_contextvars(job=job_id), child.lock:
            try:
                child.wait_ready(context.should_abort)
                self._attempt(UUID(job_id), place, context.should_abort)
                # A new trainer warms up before this worker takes the next job: another may have
                # a warm one.
                child.wait_ready(context.should_abort)
            except Abandoned:
                return

    def _attempt(self, job_id: UUID, place: int, is_leaving: Callable[[], bool]) -> None:
        with self._means.sessions.begin() as session:
            job = queue.take_up(session, job_id, queue_id=place, worker=self._means.worker)
            if job is not None:
                job_log.note(session, job_id, taken_line(job))
        if job is None:
            logger.info("job not taken up: cancelled, or in other hands")
            return
        logger.info("job taken up", model=job.model, attempt=job.attempt)
        Attempt(means=self._means, job=job, is_leaving=is_leaving).run()


def _raise_plainly(error: BaseException | None) -> None:
    """Raise what went wrong; of several things, the one that says why no work is possible."""
    while isinstance(error, BaseExceptionGroup):
        error = (error.subgroup(TrainerUnavailable) or error).exceptions[0]
    if error is not None:
        raise error


def _ignoring_time(chore: Callable[[], None]) -> Callable[..., None]:
    """As a periodic task, which is told when it was due."""

    def task(timestamp: int) -> None:  # noqa: ARG001 (named by Procrastinate)
        chore()

    return task
