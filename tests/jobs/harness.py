"""Provide a database, a store and workers with fake trainers, for tests that kill processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.config import PROJECT_DIR
from app.jobs import queue
from app.recipes.resolve import resolve_recipe
from app.storage.ids import new_id
from app.storage.job_status import JobStatus
from app.storage.object_store import ObjectStore
from app.storage.tables import Dataset, Job

PATIENCE_SECONDS = 60.0  # generous, because the machine may be busy with other tests

Value = TypeVar("Value")
NOTHING_SET: Mapping[str, str] = {}


def eventually(look: Callable[[], Value | None], *, within: float = PATIENCE_SECONDS) -> Value:
    """Return the first true answer."""
    deadline = time.monotonic() + within
    while not (value := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return value


class WorkerProcess:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Harness:
    """What a test of the queue needs; `folder` becomes the data directory."""

    def __init__(self, database_url: str, engine: Engine, folder: Path) -> None:
        self.database_url = database_url
        self.sessions = sessionmaker(engine, expire_on_commit=False)
        self.folder = folder
        self.store = ObjectStore.open(f"file://{folder / 'store'}")
        self.log = folder / "trainer.log"
        self.workers: list[WorkerProcess] = []

    def start_worker(
        self,
        *,
        epoch_seconds: float = 0.05,
        trainer: Sequence[str] | None = None,
        environment: Mapping[str, str] = NOTHING_SET,
    ) -> WorkerProcess:
        environment = {
            **os.environ,
            **environment,
            "STEPAHEAD_DATABASE_URL": self.database_url,
            "STEPAHEAD_DATA_DIR": str(self.folder),
        }
        fake = [sys.executable, "-m", "tests.jobs.fake_trainer", "--log", str(self.log)]
        fake += ["--epoch-seconds", str(epoch_seconds)]
        command = [sys.executable, "-m", "tests.jobs.fake_worker", *(trainer or fake)]
        with self.output(len(self.workers)).open("wb") as output:
            process = subprocess.Popen(
                command, cwd=PROJECT_DIR, env=environment, stdout=output, stderr=output
            )
        worker = WorkerProcess(process)
        self.workers.append(worker)
        return worker

    def output(self, number: int) -> Path:
        """Return the output of a worker."""
        return self.folder / f"worker{number}.log"

    def add_dataset(self, session: Session) -> Dataset:
        content = self.store.put_bytes(new_id().bytes)
        dataset = Dataset(
            id=new_id(),
            sha256=content.sha256,
            read_options="{}",
            content_sha256=content.sha256,
            kind="series",
            filename="prices.csv",
            size_bytes=content.size,
            report={},
        )
        session.add(dataset)
        session.flush()
        return dataset

    def enqueue(self, model: str = "prices", *, epochs: int = 3) -> UUID:
        with self.sessions.begin() as session:
            job = queue.enqueue(
                session,
                model=model,
                kind="series",
                dataset_id=self.add_dataset(session).id,
                recipe=resolve_recipe("series", {"preset": "chapter", "epochs": epochs}),
            )
            return job.id

    def job(self, job_id: UUID) -> Job:
        with self.sessions.begin() as session:
            return queue.get_job(session, job_id)

    def wait_for(self, job_id: UUID, status: JobStatus, *, within: float = PATIENCE_SECONDS) -> Job:
        def reached() -> Job | None:
            job = self.job(job_id)
            assert job.status in {status, JobStatus.QUEUED, JobStatus.RUNNING}, job.error
            return job if job.status == status else None

        return eventually(reached, within=within)

    def wait_for_epoch(self, job_id: UUID, epoch: int) -> Job:
        """Wait until the job has stored a checkpoint of this epoch or a later one."""

        def trained() -> Job | None:
            job = self.job(job_id)
            stored = job.checkpoint is not None and int(job.checkpoint["name"][:6]) >= epoch
            return job if stored else None

        return eventually(trained)

    def epochs(self, model: str = "prices") -> list[tuple[int, int]]:
        """Return what trainers did for a model, in order: (pid, epoch)."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        fields = [line.split() for line in lines]
        return [(int(pid), int(epoch)) for pid, name, epoch in fields if name == model]

    def close(self) -> None:
        for worker in self.workers:
            worker.send(signal.SIGCONT)
            worker.kill()
