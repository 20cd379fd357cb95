import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import PROJECT_DIR, Settings
from app.jobs.messages import Finished, Progress, Stopped, TrainingRequest
from app.jobs.trainer import (
    COMMAND,
    Abandoned,
    Trainer,
    TrainerDied,
    TrainerUnavailable,
    command_of,
    why_no_training,
)
from app.recipes.resolve import resolve_recipe
from tests.jobs.harness import eventually
from tests.serving import runs


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainer]:
    monkeypatch.chdir(PROJECT_DIR)
    command = [sys.executable, "-m", "tests.jobs.fake_trainer", "--log", str(tmp_path / "log")]
    trainer = Trainer(command)
    yield trainer
    trainer.close()


def test_its_command_can_be_set_as_a_shell_would_read_it() -> None:
    assert command_of(Settings(trainer_command=None)) == COMMAND
    given = Settings(trainer_command="nice -n 5 '/opt/my cuda/bin/python' -m app.training.child")
    assert command_of(given)[:4] == ("nice", "-n", "5", "/opt/my cuda/bin/python")
    with pytest.raises(ValidationError, match="No closing quotation"):
        Settings(trainer_command="'/opt/my cuda")


def request(folder: Path, *, model: str = "prices", epochs: int = 2) -> TrainingRequest:
    for name in ("output", "checkpoint"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "dataset").write_bytes(b"data")
    return TrainingRequest(
        model=model,
        recipe=resolve_recipe("series", {"preset": "chapter", "epochs": epochs}),
        dataset=folder / "dataset",
        dataset_id="id",
        dataset_sha256="sha",
        target=None,
        output_dir=folder / "output",
        checkpoint_dir=folder / "checkpoint",
    )


def ready(trainer: Trainer) -> int:
    trainer.wait_ready(lambda: False)
    assert trainer.pid is not None
    return trainer.pid


def heard(trainer: Trainer, kind: type) -> bool:
    return isinstance(trainer.poll(0.1), kind)


def test_one_child_does_run_after_run(trainer: Trainer, tmp_path: Path) -> None:
    pid = ready(trainer)
    for _ in range(2):
        trainer.begin(request(tmp_path))
        eventually(lambda: heard(trainer, Finished))
    assert ready(trainer) == pid


def test_a_run_that_is_dropped_leaves_the_child_warm(trainer: Trainer, tmp_path: Path) -> None:
    pid = ready(trainer)
    trainer.begin(request(tmp_path, epochs=10_000))
    eventually(lambda: heard(trainer, Progress))

    trainer.drop_run()
    trainer.drop_run()  # it no longer exists

    assert ready(trainer) == pid
    trainer.begin(request(tmp_path))
    eventually(lambda: heard(trainer, Finished))


def test_a_child_that_does_not_stop_is_replaced(trainer: Trainer, tmp_path: Path) -> None:
    pid = ready(trainer)
    trainer.begin(request(tmp_path, model="deaf", epochs=10_000))
    eventually(lambda: heard(trainer, Progress))

    trainer.drop_run()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert ready(trainer) != pid


def test_a_child_that_stops_leaves_a_checkpoint_if_asked(trainer: Trainer, tmp_path: Path) -> None:
    ready(trainer)
    trainer.begin(request(tmp_path, epochs=10_000))
    eventually(lambda: heard(trainer, Progress))

    trainer.stop(checkpoint=True)

    eventually(lambda: heard(trainer, Stopped))
    assert list((tmp_path / "checkpoint").iterdir())


def test_an_abandoned_child_ends_without_being_waited_for(trainer: Trainer, tmp_path: Path) -> None:
    pid = ready(trainer)
    trainer.begin(request(tmp_path, model="deaf", epochs=10_000))
    trainer.abandon()
    eventually(lambda: not runs(pid))


@pytest.mark.parametrize(("kills_after", "is_told"), [(4, True), (3, False), (None, False)])
def test_memory_is_named_only_where_the_kernel_says_that_it_ran_out(
    trainer: Trainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills_after: int | None,
    *,
    is_told: bool,
) -> None:
    counted: list[int | None] = [3, kills_after]
    monkeypatch.setattr("app.jobs.trainer.out_of_memory_kills", lambda: counted.pop(0))
    pid = ready(trainer)
    trainer.begin(request(tmp_path, epochs=10_000))
    os.kill(pid, signal.SIGKILL)

    with pytest.raises(TrainerDied) as death:
        eventually(lambda: heard(trainer, Finished))

    assert ("memory ran out" in death.value.reason) is is_told


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "it was ended by SIGKILL"),
        (signal.SIGSEGV, "it was ended by SIGSEGV"),
    ],
)
def test_a_death_in_a_run_is_reported_with_its_reason(
    trainer: Trainer, tmp_path: Path, number: signal.Signals, words: str
) -> None:
    pid = ready(trainer)
    trainer.begin(request(tmp_path, epochs=10_000))
    os.kill(pid, number)

    with pytest.raises(TrainerDied) as death:
        eventually(lambda: heard(trainer, Finished))

    assert words in death.value.reason
    assert ready(trainer) != pid


def test_a_child_lost_while_idle_is_started_again(trainer: Trainer) -> None:
    pid = ready(trainer)
    os.kill(pid, signal.SIGKILL)

    eventually(lambda: trainer.keep_warm() or trainer.pid != pid)  # type: ignore[func-returns-value]
    assert ready(trainer) != pid


def test_a_child_that_cannot_start_is_given_up() -> None:
    broken = Trainer([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(TrainerUnavailable, match="exit code 7"):
        broken.wait_ready(lambda: False)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(TrainerUnavailable, match="'/nowhere/python'; if STEPAHEAD_TRAINER_COMMAND"):
        Trainer(["/nowhere/python", "-m", "app.training.child"]).wait_ready(lambda: False)


def test_waiting_for_a_child_can_be_given_up() -> None:
    slow = Trainer([sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(Abandoned):
        slow.wait_ready(lambda: True)
    slow.close(patience_seconds=0)


def test_without_tensorflow_there_is_a_one_line_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.trainer.find_spec", lambda _: None)
    missing = why_no_training(Settings())
    assert missing is not None
    assert "pip install 'stepahead[train]'" in missing
    assert why_no_training(Settings(trainer_command="nice python")) is None
