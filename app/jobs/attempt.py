"""One attempt at a job: take it, let the trainer work, register the result.

It runs in a thread of the worker and ends in one of these ways: the job succeeds or fails; the job
returns to the queue, because the worker stops or the trainer died; or the attempt is superseded
(the job was cancelled, or another worker has it) and drops everything.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from app.artifact.files import ARTIFACT_FILES, file_of, read_artifact
from app.datasets.store import UPLOAD_AGAIN
from app.errors import Internal, StepaheadError, Unavailable
from app.jobs import job_log, queue
from app.jobs.log_lines import OUTCOME, outcome_lines
from app.jobs.messages import Checkpoint, Failed, Finished, Progress, Stopped, TrainingRequest
from app.jobs.progress import JobProgress
from app.jobs.queue import Claim, Superseded
from app.jobs.room import Room
from app.jobs.trainer import Trainer, TrainerDied
from app.jobs.worker_metrics import StageClock, WorkerMetrics
from app.process.disk import is_full
from app.process.observability import get_logger
from app.process.tracing import Tracing
from app.recipes.recipe import RECIPE
from app.registry import store as registry
from app.registry.references import ModelReference
from app.storage.engine import expect_answer_soon, is_database_full
from app.storage.job_status import JobStatus
from app.storage.object_store import ObjectStore
from app.storage.store_errors import ObjectDamaged, ObjectMissing, StoreUnavailable, naming
from app.storage.tables import Dataset, Job

LISTEN_SECONDS = 0.1  # between checks of what the worker wants
PULSE_SECONDS = 0.4  # between writes of progress, or checks of the claim
DATABASE_PATIENCE_SECONDS = 60.0
STORE_PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 1.0

Value = TypeVar("Value")
logger = get_logger(__name__)


STOPPING = "its worker is stopping"
DISK_FULL = "the disk of its worker is full"


class HandBack(Exception):
    """The job returns to the queue.

    Args:
        reason: why, for the job's log.
    """

    def __init__(self, reason: str = STOPPING) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Means:
    """Everything a worker's attempts share."""

    sessions: sessionmaker[Session]
    store: ObjectStore
    trainer: Trainer
    folder: Path  # the worker's own; each attempt makes a folder in it
    room: Room  # on the disk of that folder
    worker: str  # host:pid
    metrics: WorkerMetrics
    leaving_seconds: float  # time for a last checkpoint when the worker stops
    tracing: Tracing | None = None


@dataclass(kw_only=True)
class Attempt:
    """A job that was taken, and everything needed to finish it."""

    means: Means
    job: Job
    is_leaving: Callable[[], bool]  # whether the worker is stopping
    claim: Claim = field(init=False)
    progress: JobProgress = field(init=False)
    _clock: StageClock = field(init=False)
    _next_pulse: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.claim = Claim(job_id=self.job.id, attempt=self.job.attempt)
        self.progress = JobProgress(self.job.progress)
        self._clock = StageClock(self.means.metrics.stage_ended)

    def run(self) -> None:
        """Run the attempt to one of its ends; the trainer is idle or gone afterwards.

        Raises:
            sqlalchemy.exc.OperationalError: the database was away for too long; the job is found
                lost and is rescued later.
        """
        self.means.metrics.began()
        try:
            with self._span():
                self._run()
        except Superseded:
            self.means.metrics.ended(None)
            logger.info("attempt superseded")

    def _span(self) -> AbstractContextManager[None]:
        if self.means.tracing is None:
            return nullcontext()
        job = self.job
        return self.means.tracing.span(
            f"train {job.model}", job=str(job.id), model=job.model, attempt=job.attempt
        )

    def _run(self) -> None:
        try:
            self._train()
        except TrainerDied as death:
            if self.means.room.is_short():
                self._hand_back(DISK_FULL)
            else:
                self._bury(death.reason)
        except HandBack as back:
            self._hand_back(back.reason)
        except (Superseded, OperationalError, PoolTimeout):
            raise
        except Unavailable as error:  # the store has been away for too long
            self._hand_back(error.detail)
        except StepaheadError as error:
            self._fail(error.problem())
        except Exception as error:
            if isinstance(error, OSError) and is_full(error):
                self._hand_back(DISK_FULL)
                return
            # The worker's boundary: a failed job must not affect the next one.
            logger.exception("attempt failed")
            self._fail(Internal("training failed by an internal error; see the log").problem())

    def _train(self) -> None:
        with _folder_in(self.means.folder) as folder:
            request = self._request(folder)
            self.means.trainer.begin(request)
            try:
                ending = self._follow()
            finally:
                self._clock.see(None)
                # Before the folder is removed: a trainer that still writes there would crash.
                self.means.trainer.drop_run()
            if isinstance(ending, Failed):
                self._fail(ending.problem)
            elif isinstance(ending, Finished):
                self._register(request.output_dir)
            else:
                raise HandBack(DISK_FULL if ending.disk_full else STOPPING)

    # Before: files for the trainer.

    def _request(self, folder: Path) -> TrainingRequest:
        job, (dataset, test, base) = self.job, self._write(self._sources)
        recipe = RECIPE.validate_python(job.recipe)
        for name in ("output", "checkpoint", "start_from"):
            (folder / name).mkdir()
        self._fetch_content(dataset, folder / "dataset.npz")
        if test is not None:
            self._fetch_content(test, folder / "test.npz")
        for name, stored in base.items():
            with naming(file_of(job.model, job.start_from or 0, name)):
                self._fetch(stored["sha256"], folder / "start_from" / name)
        self._fetch_checkpoint(folder / "checkpoint")
        reference = ModelReference(name=job.model, alias=None, number=job.start_from)
        return TrainingRequest(
            model=job.model,
            recipe=recipe,
            dataset=folder / "dataset.npz",
            dataset_id=str(dataset.id),
            dataset_sha256=dataset.sha256,
            target=job.target,
            output_dir=folder / "output",
            checkpoint_dir=folder / "checkpoint",
            test=None if test is None else folder / "test.npz",
            test_dataset_id=None if test is None else str(test.id),
            start_from=folder / "start_from" if base else None,
            start_from_name=str(reference) if base else None,
        )

    def _sources(self, session: Session) -> tuple[Dataset, Dataset | None, dict[str, Any]]:
        job = self.job
        dataset = session.get_one(Dataset, job.dataset_id)
        test = None if job.test_dataset_id is None else session.get(Dataset, job.test_dataset_id)
        base: dict[str, Any] = {}
        if job.start_from is not None:
            base = registry.get_live_version(session, job.model, job.start_from).files
        return dataset, test, base

    def _fetch_content(self, dataset: Dataset, to: Path) -> None:
        with naming(f"the content of dataset {dataset.id}", UPLOAD_AGAIN):
            self._fetch(dataset.content_sha256, to)

    def _fetch(self, sha256: str, to: Path) -> None:
        self._with_store(lambda: self.means.store.fetch(sha256, to))

    def _fetch_checkpoint(self, folder: Path) -> None:
        checkpoint = self.job.checkpoint
        if checkpoint is None:
            return
        to = folder / checkpoint["name"]
        try:
            self._with_store(lambda: self.means.store.fetch(checkpoint["sha256"], to))
        except (ObjectMissing, ObjectDamaged):
            # Starting over gives the same weights, only later.
            logger.warning("checkpoint cannot be read; the job starts over", exc_info=True)

    # While the trainer works.

    def _follow(self) -> Finished | Stopped | Failed:
        trainer, leave_by = self.means.trainer, None
        while True:
            event = trainer.poll(LISTEN_SECONDS)
            if isinstance(event, Finished | Stopped | Failed):
                return event
            if isinstance(event, Progress):
                self._clock.see(event.stage)
                self.progress.report(event)
            elif isinstance(event, Checkpoint):
                self._keep_checkpoint(event.path)
            self._pulse()
            if leave_by is None and self.is_leaving():
                trainer.stop(checkpoint=True)
                leave_by = time.monotonic() + self.means.leaving_seconds
            if leave_by is not None and time.monotonic() > leave_by:
                trainer.close(patience_seconds=0)
                return Stopped()

    def _pulse(self) -> None:
        """Write news a few times a second, and check whether the claim still holds."""
        if time.monotonic() < self._next_pulse:
            return
        self._next_pulse = time.monotonic() + PULSE_SECONDS
        try:
            with self.means.sessions.begin() as session:
                expect_answer_soon(session)
                if self.progress.unsaved:
                    queue.write_progress(session, self.claim, self.progress.as_json())
                    job_log.note(session, self.job.id, *self.progress.untold)
                else:
                    queue.check_claim(session, self.claim)
        except (OperationalError, PoolTimeout):
            # Training continues. The claim is checked when the database is back.
            logger.warning("progress not written: the database cannot be reached")
        else:
            self.progress.unsaved = False
            self.progress.untold.clear()

    def _keep_checkpoint(self, path: Path) -> None:
        try:
            stored = self.means.store.put_file(path)
        except (StoreUnavailable, OSError):
            # The next one comes in ten seconds, so the run continues.
            logger.warning("checkpoint not stored", exc_info=True)
            return
        finally:
            path.unlink(missing_ok=True)
        checkpoint = {"name": path.name, "sha256": stored.sha256, "size": stored.size}
        progress = self.progress.as_json()
        try:
            self._write(
                lambda session: queue.write_checkpoint(session, self.claim, checkpoint, progress)
            )
        except (OperationalError, PoolTimeout):
            logger.warning("checkpoint not recorded: the database cannot be written to")

    # After.

    def _register(self, folder: Path) -> None:
        manifest, scorecard = read_artifact(folder)
        files = {
            name: self._with_store(partial(self.means.store.put_file, folder / name))
            for name in ARTIFACT_FILES
            if (folder / name).is_file()
        }
        job = self.job

        def register(session: Session) -> int:
            queue.succeed(session, self.claim, self.progress.as_json())
            version = registry.register(
                session,
                model=job.model,
                kind=manifest.kind,
                manifest=manifest,
                scorecard=scorecard,
                files=files,
                dataset_id=job.dataset_id,
                job_id=job.id,
            )
            queue.set_version(session, self.claim, version.number)
            self._tell(session, *outcome_lines(version, scorecard))
            return version.number

        logger.info("job succeeded", version=self._write(register))
        self.means.metrics.ended(JobStatus.SUCCEEDED)

    def _bury(self, reason: str) -> None:
        logger.warning("trainer died", reason=reason)
        if self.is_leaving():  # a machine that shuts down ends its trainers too
            self._hand_back(STOPPING)
            return

        def bury(session: Session) -> JobStatus:
            status = queue.bury_trainer(session, self.claim, reason)
            self._tell(session, f"its training process ended: {reason}", OUTCOME[status])
            return status

        status = self._write(bury)
        self.means.metrics.ended(status)
        logger.info("trainer's death counted", status=status)

    def _hand_back(self, reason: str) -> None:
        if reason == DISK_FULL:
            self.means.room.ran_out()

        def hand_back(session: Session) -> None:
            queue.hand_back(session, self.claim)
            self._tell(session, f"{reason}: queued again, to continue from here")

        self._write(hand_back)
        self.means.metrics.ended(JobStatus.QUEUED)
        logger.info("job handed back", reason=reason)

    def _fail(self, problem: dict[str, Any]) -> None:
        logger.warning("job failed", problem=problem)

        def fail(session: Session) -> None:
            queue.fail(session, self.claim, problem)
            self._tell(session, f"failed: {problem['detail']}")

        self._write(fail)
        self.means.metrics.ended(JobStatus.FAILED)

    def _tell(self, session: Session, *lines: str) -> None:
        """Add these lines and those not yet written to the log, in the caller's transaction."""
        job_log.note(session, self.job.id, *self.progress.untold, *lines)

    # Patience while database or store are away.

    def _write(self, work: Callable[[Session], Value]) -> Value:
        """Run a transaction, and repeat it while the database is away or its disk is full.

        Repeating is safe even if the answer to a commit was lost: the first commit has ended the
        claim or given it away, so the second is refused.
        """
        start = time.monotonic()
        while True:
            try:
                with self.means.sessions.begin() as session:
                    return work(session)
            except (OperationalError, PoolTimeout) as error:
                leaving = self.is_leaving()
                patience = self.means.leaving_seconds if leaving else DATABASE_PATIENCE_SECONDS
                is_awaited = is_database_full(error) and not leaving
                if time.monotonic() > start + patience and not is_awaited:
                    raise
                logger.warning("waiting for the database", reason=type(error).__name__)
                time.sleep(RETRY_SECONDS)

    def _with_store(self, work: Callable[[], Value]) -> Value:
        deadline = time.monotonic() + STORE_PATIENCE_SECONDS
        while True:
            try:
                return work()
            except StoreUnavailable:
                if self.is_leaving():
                    raise HandBack(STOPPING) from None
                if time.monotonic() > deadline:
                    raise
                logger.warning("waiting for the object store", exc_info=True)
                self._pulse()
                time.sleep(RETRY_SECONDS)


@contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
