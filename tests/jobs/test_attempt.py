"""Test what an attempt does to its trainer, without a database or a process."""

from pathlib import Path

from sqlalchemy.orm import sessionmaker

from app.jobs.attempt import Attempt, Means
from app.jobs.messages import Failed, Finished, Stopped, TrainingRequest
from app.jobs.queue import Superseded
from app.jobs.room import Room
from app.jobs.trainer import Trainer
from app.jobs.worker_metrics import WorkerMetrics
from app.recipes.presets import presets
from app.storage.ids import new_id
from app.storage.object_store import ObjectStore
from app.storage.tables import Job


class WatchedTrainer(Trainer):
    """Records, when its run is dropped, whether its files still exist."""

    had_its_folder: bool | None = None

    def begin(self, request: TrainingRequest) -> None:
        self.folder = request.output_dir

    def drop_run(self) -> None:
        self.had_its_folder = self.folder.is_dir()


class CancelledAttempt(Attempt):
    def _request(self, folder: Path) -> TrainingRequest:
        return TrainingRequest(
            model="prices",
            recipe=presets("series")["chapter"],
            dataset=folder / "dataset",
            dataset_id=None,
            dataset_sha256="0" * 64,
            target=None,
            output_dir=folder,
            checkpoint_dir=folder,
        )

    def _follow(self) -> Finished | Stopped | Failed:
        raise Superseded


def test_a_cancelled_run_is_stopped_before_its_files_go(tmp_path: Path) -> None:
    trainer = WatchedTrainer()
    means = Means(
        metrics=WorkerMetrics(),
        sessions=sessionmaker(),
        store=ObjectStore.open("memory://"),
        trainer=trainer,
        folder=tmp_path,
        room=Room(tmp_path),
        worker="here:1",
        leaving_seconds=1.0,
    )
    job = Job(id=new_id(), attempt=1, progress={})
    CancelledAttempt(means=means, job=job, is_leaving=lambda: False).run()
    assert trainer.had_its_folder
    assert list(tmp_path.iterdir()) == []
